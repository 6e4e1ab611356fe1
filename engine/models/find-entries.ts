import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isPickleName } from '../weights/pickle.ts'
import { slugOf } from './air.ts'
import { folderKind } from './folder-kind.ts'
import { MODELS_FILE, readModelsFile } from './models-file.ts'
import type { InvalidEntry, ModelsFileEntry } from './models-file.ts'
import { ModelError } from './model-error.ts'
import { ModelType } from './model-spec.ts'

/** Something a models folder offers, before anybody looked into it. */
export interface FoundEntry {
  /** Folder that the entry's paths may not leave. */
  readonly folder: string
  /** Relative to the folder; `.` for the folder itself. */
  readonly path: string
  /** File or folder name, of which an identifier is made when the entry has none. */
  readonly fileName: string
  /** What models.json says of it. */
  readonly declared?: ModelsFileEntry
}

/** What a models folder, a diffusers folder or a single file offers. */
export interface FoundEntries {
  readonly entries: readonly FoundEntry[]
  readonly invalid: readonly InvalidEntry[]
}

/**
 * Lists what a path on the command line offers: the entries of its `models.json`; without one the path itself when it is a
 * diffusers folder or a file, else the diffusers folders and weight files in it, one level deep.
 * Throws a ModelError when there is nothing at the path.
 */
export async function findEntries(path: string): Promise<FoundEntries> {
  const found = await stat(path).catch(cause => {
    throw new ModelError(`the models folder ${JSON.stringify(path)} is not there`, { cause })
  })
  if (!found.isDirectory()) return { entries: [{ folder: dirname(path), path: basename(path), fileName: basename(path) }], invalid: [] }
  const names = await readdir(path)
  if (names.includes(MODELS_FILE)) return declaredEntries(path)
  if (await isModelFolder(path)) return { entries: [{ folder: path, path: '.', fileName: basename(path) }], invalid: [] }
  const offered: string[] = []
  for (const name of names) if (await isOffered(path, name)) offered.push(name)
  return { entries: offered.sort(plainNamesFirst).map(name => ({ folder: path, path: name, fileName: name })), invalid: [] }
}

async function declaredEntries(folder: string): Promise<FoundEntries> {
  const label = `${MODELS_FILE} of ${basename(folder)}`
  try {
    const { entries, invalid } = await readModelsFile(folder)
    return { entries: entries.map(declared => ({ folder, path: declared.path, fileName: basename(declared.path), declared })), invalid }
  } catch (error) {
    if (error instanceof ModelError) return { entries: [], invalid: [{ air: label, reason: error.message }] }
    throw error
  }
}

async function isOffered(folder: string, name: string): Promise<boolean> {
  // Hidden files are left by editors and download tools.
  if (name.startsWith('.')) return false
  const found = await stat(join(folder, name)).catch(() => undefined)
  if (found?.isFile()) return /\.safetensors$/i.test(name) || isPickleName(name)
  return Boolean(found?.isDirectory()) && isModelFolder(join(folder, name))
}

/** Whether a folder is a model's; one that cannot be read or whose `config.json` is of something else is nobody's business here. */
async function isModelFolder(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch((): string[] => [])
  if (names.includes('model_index.json')) return true
  return names.includes('config.json') && (await folderKind(folder).catch(() => ModelType.checkpoint)) !== ModelType.checkpoint
}

/** Names that are identifiers already come first, so that they keep theirs beside `My Model` and `my model`; then by spelling. */
function plainNamesFirst(a: string, b: string): number {
  const isPlain = (name: string): boolean => slugOf(name) === name.replace(/\.safetensors$/, '')
  return Number(isPlain(b)) - Number(isPlain(a)) || (a < b ? -1 : 1)
}

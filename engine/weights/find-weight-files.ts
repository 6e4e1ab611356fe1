import { readFile, readdir, realpath } from 'node:fs/promises'
import { basename, dirname, join, sep } from 'node:path'
import { isPickleName } from './pickle.ts'
import { WeightError } from './weight-error.ts'

/** Where a component's weights lie: one file, or the shards that an index names. */
export interface WeightFiles {
  readonly files: readonly string[]
  /** Names the index promises, by the real path of the file that must hold them; absent for one file. */
  readonly index?: ReadonlyMap<string, string>
}

const MAX_INDEX_BYTES = 25 * 1024 * 1024
/** Full-precision files first: halved variants hold the same weights with less of them. */
const VARIANTS = ['', 'fp16', 'bf16', 'fp32'] as const

/**
 * Finds the weights of a component in its folder: `STEM.safetensors`, or shards with `STEM.safetensors.index.json`, plain or
 * in a variant (`STEM.fp16.safetensors`). Throws a WeightError when there are none, or when a file lies outside `root`.
 */
export async function findWeightFiles(folder: string, stem: string, root = folder): Promise<WeightFiles> {
  const label = basename(folder)
  const names = new Set(
    await readdir(folder).catch(cause => {
      throw new WeightError(`the folder ${label} cannot be read`, { cause })
    }),
  )
  for (const variant of VARIANTS) {
    const single = variant ? `${stem}.${variant}.safetensors` : `${stem}.safetensors`
    if (names.has(single)) return { files: [await insideRoot(join(folder, single), root)] }
    const index = indexNames(stem, variant).find(name => names.has(name))
    if (index) return readIndex(join(folder, index), root)
  }
  if ([...names].some(isPickleName)) {
    throw new WeightError(`${label} has its weights in pickle files only; those can run code and are never loaded, use ${stem}.safetensors`)
  }
  throw new WeightError(`${label} has no weights: ${stem}.safetensors is not there`)
}

/** The real path of a file, which must not leave `root` by a link. */
export async function insideRoot(path: string, root: string): Promise<string> {
  const name = basename(path)
  const [real, realRoot] = await Promise.all([realpath(path), realpath(root)]).catch(cause => {
    throw new WeightError(`${name} cannot be found`, { cause })
  })
  if (!real.startsWith(realRoot.endsWith(sep) ? realRoot : realRoot + sep)) {
    throw new WeightError(`${name} is a link that leaves the model's folder, which is refused`)
  }
  return real
}

function indexNames(stem: string, variant: string): readonly string[] {
  if (!variant) return [`${stem}.safetensors.index.json`]
  // The place of the variant changed over diffusers' and transformers' releases.
  return [
    `${stem}.safetensors.index.${variant}.json`,
    `${stem}.${variant}.safetensors.index.json`,
    `${stem}.safetensors.${variant}.index.json`,
  ]
}

async function readIndex(path: string, root: string): Promise<WeightFiles> {
  const label = basename(path)
  const bytes = await readFile(await insideRoot(path, root))
  if (bytes.length > MAX_INDEX_BYTES) throw new WeightError(`${label} is longer than ${MAX_INDEX_BYTES} bytes`)
  const entries = parseIndex(bytes.toString(), label)
  const real = new Map<string, string>()
  for (const name of new Set(entries.map(([, file]) => file))) {
    // A shard is a plain name beside its index: nothing in an index may point anywhere else.
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]*\.safetensors$/.test(name))
      throw new WeightError(`${label} names ${JSON.stringify(name)}, which is not a shard beside it`)
    real.set(name, await insideRoot(join(dirname(path), name), root))
  }
  return { files: [...new Set(real.values())], index: new Map(entries.map(([tensor, file]) => [tensor, real.get(file) ?? ''])) }
}

function parseIndex(text: string, label: string): [string, string][] {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new WeightError(`${label} is not JSON`, { cause })
  }
  const map = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)['weight_map'] : undefined
  if (typeof map !== 'object' || map === null || Array.isArray(map)) throw new WeightError(`${label} has no weight_map`)
  return Object.entries(map).map(([tensor, file]) => {
    if (typeof file !== 'string') throw new WeightError(`${label} names no file for the tensor ${tensor}`)
    return [tensor, file]
  })
}

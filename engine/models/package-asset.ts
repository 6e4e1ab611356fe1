import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * Reads a file that ships with the package beside the sources, by its path from the package's root.
 *
 * Compiled code lies one or two folders deeper than its source, and data files are not copied there: so the root is looked
 * for, upwards from this module, as the nearest folder with the package's own package.json.
 */
export async function readPackageAsset(path: string): Promise<Buffer> {
  return readFile(join(await packageRoot(), path))
}

/** The folder of the package's package.json. Throws when this module does not lie in the package. */
export async function packageRoot(): Promise<string> {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (folder !== dirname(folder)) {
    const manifest = await readFile(join(folder, 'package.json'), 'utf8').catch(() => undefined)
    if (manifest !== undefined && (JSON.parse(manifest) as { name?: unknown }).name === 'latentd') return folder
    folder = dirname(folder)
  }
  throw new Error('the package folder of latentd cannot be found')
}

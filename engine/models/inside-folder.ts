import { realpath } from 'node:fs/promises'
import { isAbsolute, resolve, sep } from 'node:path'
import { ModelError } from './model-error.ts'

/**
 * The real absolute path of something that a models folder names by a relative path.
 * Throws a ModelError when the path is absolute, leaves the folder by `..` or by a link, or leads to nothing.
 */
export async function insideFolder(folder: string, path: string): Promise<string> {
  const target = resolve(folder, path)
  // Drive letters and backslashes lead elsewhere on Windows, so they are refused on every system.
  if (path.includes('\0') || /^[A-Za-z]:|\\/.test(path) || isAbsolute(path) || !isWithin(target, resolve(folder))) throw leaves(path)
  const realFolder = await realpath(folder).catch(cause => {
    throw new ModelError('the models folder is not there', { cause })
  })
  const real = await realpath(target).catch(cause => {
    throw new ModelError(`${JSON.stringify(path)} is not there`, { cause })
  })
  if (!isWithin(real, realFolder)) throw leaves(path)
  return real
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep)
}

function leaves(path: string): ModelError {
  return new ModelError(`${JSON.stringify(path)} leaves the models folder, which is refused`)
}

import { execFile } from 'node:child_process'
import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const packageRoot = fileURLToPath(new URL('../../../../', import.meta.url))
const cache = join(packageRoot, 'node_modules/.cache/latentd-compat')

/** Where the Python clients lie. */
export const pythonScripts = join(packageRoot, 'test/compat/python')

const installTimeoutMs = 120_000

/**
 * Installs one PyPI requirement in a virtual environment of its own (the two SDKs share an import name).
 * Returns the environment's interpreter, or the reason why it cannot be had.
 */
export async function pythonWith(requirement: string): Promise<{ python: string } | { missing: string }> {
  const folder = join(cache, requirement.replace(/[^a-z0-9.]+/gi, '-'))
  const python = join(folder, 'bin/python')
  if (await stat(python).catch(() => undefined)) return { python }
  const fresh = `${folder}.${process.pid}`
  try {
    await mkdir(cache, { recursive: true })
    await run('python3', ['-m', 'venv', fresh], { timeout: installTimeoutMs })
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', requirement]
    await run(join(fresh, 'bin/python'), pip, { timeout: installTimeoutMs })
    await rename(fresh, folder)
    return { python }
  } catch (cause) {
    await rm(fresh, { recursive: true, force: true })
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause)
    return { missing: `${requirement} cannot be installed here (${reason})` }
  }
}

import { execFile, spawn } from 'node:child_process'
import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const packageRoot = fileURLToPath(new URL('../../../../', import.meta.url))
const cache = join(packageRoot, 'node_modules/.cache/latentd-compat')
const scripts = join(packageRoot, 'test/compat/python')
const installTimeoutMs = 120_000

/** One check a Python script made and what came of it. */
export interface PythonCheck {
  readonly check: string
  readonly ok: boolean
  readonly detail: string
}

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

/** Runs a script of test/compat/python, which prints one JSON line a check; `onCheck` sees each as it is printed. */
export async function runChecks(
  python: string,
  script: string,
  args: readonly string[],
  onRequest: (request: string) => void = () => {},
): Promise<readonly PythonCheck[]> {
  const checks: PythonCheck[] = []
  const child = spawn(python, [join(scripts, script), ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let stderr = ''
  let pending = ''
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  child.stdout.on('data', (chunk: Buffer) => {
    const lines = (pending + chunk.toString()).split('\n')
    pending = lines.pop() ?? ''
    for (const line of lines) {
      if (!line.startsWith('{')) continue
      const message = JSON.parse(line) as PythonCheck | { request: string }
      if ('request' in message) onRequest(message.request)
      else checks.push(message)
    }
  })
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  if (code !== 0) throw new Error(`${script} ended with code ${code}:\n${stderr.slice(-2000)}`)
  return checks
}

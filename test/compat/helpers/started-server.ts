import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Compiled tests lie in dist/test/compat/helpers, so the package is four folders up. */
const packageRoot = fileURLToPath(new URL('../../../../', import.meta.url))
const cli = fileURLToPath(new URL('../../../server/cli.js', import.meta.url))
const readyWithinMs = 120_000

/** A key the tests give the server; long enough for every client's own check. */
export const apiKey = 'compat-test-key-0123456789-abcdefghij'

/** The small random-weight checkpoint that the server offers. */
export const model = 'local:sd1-tiny@1'

/** A latentd server in a process of its own, as a user starts it. */
export interface StartedServer {
  readonly port: number
  stop(): Promise<void>
}

/** Starts `latentd serve` with a small model on a free port and waits until it is ready. */
export async function startServer(): Promise<StartedServer> {
  const data = await mkdtemp(join(tmpdir(), 'latentd-compat-'))
  const models = join(packageRoot, 'test/reference/models/sd1-tiny')
  const args = ['serve', '--port', '0', '--data', data, '--models', models, '--api-key', apiKey, '--device', 'cpu']
  const child = spawn(process.execPath, [cli, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  try {
    const port = await portOf(child)
    await untilReady(port, child)
    return { port, stop: () => stop(child, data) }
  } catch (cause) {
    await stop(child, data)
    throw cause
  }
}

async function portOf(child: ChildProcess): Promise<number> {
  let output = ''
  return new Promise((resolve, reject) => {
    const read = (chunk: Buffer) => {
      output += chunk.toString()
      const match = /ws:\/\/127\.0\.0\.1:(\d+)/.exec(output)
      if (match) resolve(Number(match[1]))
    }
    child.stdout!.on('data', read)
    child.stderr!.on('data', read)
    child.once('exit', (code) => reject(new Error(`the server ended with code ${code}:\n${output}`)))
  })
}

async function untilReady(port: number, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + readyWithinMs
  while (Date.now() < deadline && child.exitCode === null) {
    const response = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined)
    if (response?.ok) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error('the server did not become ready')
}

async function stop(child: ChildProcess, data: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const exited = once(child, 'exit')
    child.kill('SIGTERM')
    child.kill('SIGTERM')
    const force = setTimeout(() => child.kill('SIGKILL'), 10_000)
    await exited
    clearTimeout(force)
  }
  await rm(data, { recursive: true, force: true })
}

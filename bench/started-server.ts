import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The compiled command lies beside the compiled benchmarks. */
const cli = fileURLToPath(new URL('../server/cli.js', import.meta.url))

/** A server in a process of its own, as a user starts it. */
export interface BenchServer {
  readonly port: number
  readonly apiKey: string
  stop(): Promise<void>
}

/** Starts `latentd serve` on a free port and waits until it is ready; stderr is passed on. */
export async function startBenchServer(models: string, device: string): Promise<BenchServer> {
  const data = await mkdtemp(join(tmpdir(), 'latentd-bench-'))
  const apiKey = 'bench-key-0123456789-abcdefghijklmnop'
  const args = ['serve', '--port', '0', '--data', data, '--models', models, '--api-key', apiKey, '--device', device]
  const child = spawn(process.execPath, [cli, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  // A benchmark that fails leaves no server behind.
  process.once('exit', () => child.kill('SIGKILL'))
  const port = await portOf(child)
  while (!(await fetch(`http://127.0.0.1:${port}/readyz`)).ok) await new Promise(resolve => setTimeout(resolve, 100))
  const stop = async () => {
    const exit = once(child, 'exit')
    // The first asks it to end, a later one to hurry; two at once would be taken for one.
    const asking = setInterval(() => child.kill('SIGTERM'), 200)
    await exit
    clearInterval(asking)
    await rm(data, { recursive: true, force: true })
  }
  return { port, apiKey, stop }
}

async function portOf(child: ChildProcess): Promise<number> {
  let output = ''
  return await new Promise((resolve, reject) => {
    child.stdout?.on('data', chunk => {
      output += String(chunk)
      const port = /ws:\/\/127\.0\.0\.1:(\d+)/.exec(output)?.[1]
      if (port) resolve(Number(port))
    })
    child.once('exit', () => reject(new Error(`The server ended before it listened: ${output}`)))
  })
}

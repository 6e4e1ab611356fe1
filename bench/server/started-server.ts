import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { BenchContext } from '../bench-context.ts'
import { SkippedError } from '../bench-context.ts'
import type { BenchModel } from '../engine/bench-model.ts'
import { benchApiKey } from '../processes/bench-socket.ts'

/** The compiled command lies beside the compiled benchmarks. */
const cli = fileURLToPath(new URL('../../server/cli.js', import.meta.url))
const pollMs = 100

/** A second account. */
export const otherApiKey = 'other-bench-key-0123456789-abcdefghij'

/** Settings as in a server's configuration file. */
export type ServerSettings = Readonly<Record<string, unknown>>

/** A server in a process of its own, as a user starts it. */
export interface StartedServer {
  readonly port: number
  /** Runs of the denoiser so far, and rows in all of them. */
  denoiserRuns(): Promise<{ readonly runs: number; readonly rows: number }>
  stop(): Promise<void>
}

/** Starts `latentd serve` on a free port of loopback, with the bundled models where no place is named, and waits until a worker is warm. It ends with the scenario at the latest. */
export async function startServer(
  model: Pick<BenchModel, 'places'>, settings: ServerSettings, { device, workFolder, progress }: Pick<BenchContext, 'device' | 'workFolder' | 'progress'>,
): Promise<StartedServer> {
  progress(0, 1, 'starting the server')
  const keys = [benchApiKey, otherApiKey].flatMap(key => ['--api-key', key])
  const config = join(workFolder, 'settings.json')
  await writeFile(config, JSON.stringify(settings))
  const places = model.places.flatMap(place => ['--models', place])
  const args = ['serve', '--port', '0', '--data', join(workFolder, 'data'), '--device', device, '--log-level', 'warn', '--config', config, ...places, ...keys]
  const child = spawn(process.execPath, [cli, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exit = new Promise(resolve => child.once('exit', resolve))
  const port = await portOf(child)
  const url = (path: string) => `http://127.0.0.1:${port}${path}`
  while (!(await fetch(url('/readyz'))).ok) {
    if (child.exitCode !== null) throw new Error('The server ended before it was ready')
    await new Promise(resolve => setTimeout(resolve, pollMs))
  }
  return {
    port,
    async denoiserRuns() {
      const text = await (await fetch(url('/metrics'))).text()
      const read = (name: string) => Number(new RegExp(`^latentd_engine_run_rows_${name}\\{stage="denoise"\\} (\\S+)`, 'm').exec(text)?.[1] ?? 0)
      return { runs: read('count'), rows: read('sum') }
    },
    async stop() {
      // The second signal tells it not to wait for anything.
      child.kill('SIGTERM')
      const hurry = setTimeout(() => child.kill('SIGTERM'), pollMs)
      await exit
      clearTimeout(hurry)
    },
  }
}

async function portOf(child: ChildProcess): Promise<number> {
  let output = ''
  return await new Promise((resolve, reject) => {
    child.stdout?.on('data', chunk => {
      output += String(chunk)
      const port = /ws:\/\/127\.0\.0\.1:(\d+)/.exec(output)?.[1]
      if (port) resolve(Number(port))
    })
    child.once('exit', () => reject(new SkippedError(`The server does not start here: ${output.trim()}`)))
  })
}

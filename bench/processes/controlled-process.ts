import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** What a server's process under measurement is asked. */
export type ControlRequest = { readonly type: 'cpu' } | { readonly type: 'memory' }

export type ControlReply =
  | { readonly type: 'listening'; readonly port: number }
  /** Processor time so far. */
  | { readonly type: 'cpu'; readonly ms: number }
  /** What is left after a collection. */
  | { readonly type: 'memory'; readonly rssBytes: number; readonly heapBytes: number }

/** A server under measurement in a process of its own. */
export interface ControlledProcess {
  readonly port: number
  cpuMs(): Promise<number>
  memory(): Promise<{ readonly rssBytes: number; readonly heapBytes: number }>
  stop(): Promise<void>
}

/** Starts one of the `*-main` modules beside this one and waits until it listens. It ends with the scenario at the latest. */
export async function startControlled(module: 'echo-main.js' | 'gateway-main.js', args: readonly string[] = []): Promise<ControlledProcess> {
  const child = fork(fileURLToPath(new URL(module, import.meta.url)), args, { execArgv: ['--expose-gc', ...profilerFlags()], stdio: ['ignore', 2, 2, 'ipc'] })
  const listening = await reply(child, 'listening')
  const ask = <Type extends ControlRequest['type']>(type: Type) => {
    const answer = reply(child, type)
    child.send({ type } satisfies ControlRequest)
    return answer
  }
  return {
    port: listening.port,
    cpuMs: async () => (await ask('cpu')).ms,
    memory: () => ask('memory'),
    async stop() {
      const exit = once(child, 'exit')
      child.kill('SIGTERM')
      await exit
    },
  }
}

/** With LATENTD_BENCH_PROFILE=DIR each of these processes leaves a profile of its processor time there, for Chrome's developer tools. */
function profilerFlags(): readonly string[] {
  const folder = process.env['LATENTD_BENCH_PROFILE']
  return folder ? ['--cpu-prof', `--cpu-prof-dir=${folder}`] : []
}

async function reply<Type extends ControlReply['type']>(child: ChildProcess, type: Type): Promise<Extract<ControlReply, { type: Type }>> {
  return await new Promise((resolve, reject) => {
    const onExit = (code: number | null) => reject(new Error(`A server under measurement ended with ${code}`))
    const onMessage = (message: unknown) => {
      if ((message as ControlReply).type !== type) return
      child.off('exit', onExit)
      child.off('message', onMessage)
      resolve(message as Extract<ControlReply, { type: Type }>) // both ends are ours
    }
    child.on('message', onMessage)
    child.once('exit', onExit)
  })
}

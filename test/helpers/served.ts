import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { WebSocket } from 'ws'

/** Compiled helpers lie two folders below the output folder. */
const cli = fileURLToPath(new URL('../../server/cli.js', import.meta.url))
const smallModel = fileURLToPath(new URL('../../../test/reference/models/sd1-tiny', import.meta.url))

export const apiKey = 'e2e-test-key-0123456789-abcdefghijkl'
export const model = 'local:sd1-tiny@1'

/** One element of an answer. */
export type Item = Readonly<Record<string, unknown>>

/** A server's process, as a user starts it. */
export interface Served {
  readonly pid: number
  /** Everything it printed so far. */
  output(): string
  kill(signal: NodeJS.Signals): void
  /** How it ended. */
  readonly exit: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
}

/** Starts the compiled `latentd` with these arguments, and Node with those; it is killed when the test ends. */
export function serve(t: Test, args: readonly string[], nodeArgs: readonly string[] = []): Served {
  const child = spawn(process.execPath, ['--enable-source-maps', ...nodeArgs, cli, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env.PATH } })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => { output += String(chunk) })
  const exit = once(child, 'exit').then(([code, signal]) => ({ code, signal }))
  t.teardown(async () => {
    child.kill('SIGKILL')
    await exit
  })
  return { pid: child.pid ?? 0, output: () => output, kill: signal => void child.kill(signal), exit }
}

/** A server with the small model that is ready. */
export async function serveReady(t: Test, extra: readonly string[] = [], nodeArgs: readonly string[] = []): Promise<Served & { readonly port: number }> {
  const served = serve(t, ['serve', '--port', '0', '--data', t.testdir(), '--models', smallModel, '--api-key', apiKey, '--device', 'cpu', ...extra], nodeArgs)
  const port = await portOf(served)
  await untilReadiness(port, 200)
  return { ...served, port }
}

/** The port a starting server says it listens on. */
export async function portOf(served: Served): Promise<number> {
  for (;;) {
    const port = /ws:\/\/127\.0\.0\.1:(\d+)/.exec(served.output())?.[1]
    if (port) return Number(port)
    const ended = await Promise.race([served.exit, turn()])
    if (ended) throw new Error(`The server ended before it listened: ${served.output()}`)
  }
}

/** Asks /readyz until it answers with this status; returns that answer. */
export async function untilReadiness(port: number, status: number): Promise<string> {
  for (;;) {
    const response = await fetch(`http://127.0.0.1:${port}/readyz`)
    const body = await response.text()
    if (response.status === status) return body
    await turn()
  }
}

/** The children of a process, from /proc. */
export function childrenOf(pid: number): readonly number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
}

/** The files mapped into a process, from /proc. */
export function mappedFiles(pid: number): string {
  return readFileSync(`/proc/${pid}/maps`, 'utf8')
}

/** An imageInference task for the small model. */
export function makeTask(choices: Item = {}): Item & { readonly taskUUID: string } {
  return { taskType: 'imageInference', taskUUID: randomUUID(), model, positivePrompt: 'a red cup', width: 128, height: 128, steps: 2, ...choices } as Item & { taskUUID: string }
}

/** An authenticated WebSocket that collects what comes. */
export class Client {
  readonly socket: WebSocket
  readonly data: Item[] = []
  readonly errors: Item[] = []
  readonly closed: Promise<number>
  readonly #waiters = new Set<() => void>()
  #isClosed = false

  constructor(socket: WebSocket) {
    this.socket = socket
    socket.on('message', text => this.#receive(JSON.parse(String(text)) as { data?: Item[]; errors?: Item[] }))
    this.closed = once(socket, 'close').then(([code]) => {
      this.#isClosed = true
      this.#wake()
      return Number(code)
    })
  }

  static async open(t: Test, port: number, session?: string): Promise<Client> {
    const client = new Client(new WebSocket(`ws://127.0.0.1:${port}/v1`))
    t.teardown(() => client.socket.terminate())
    await once(client.socket, 'open')
    client.send({ taskType: 'authentication', apiKey, ...(session && { connectionSessionUUID: session }) })
    await client.until(() => client.data.length > 0)
    return client
  }

  send(...elements: Item[]): void {
    this.socket.send(JSON.stringify(elements))
  }

  /** Waits until something holds of what came; throws when the socket closes before it does. */
  async until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) {
      if (this.#isClosed) throw new Error(`The socket closed first; errors: ${JSON.stringify(this.errors)}`)
      await new Promise<void>(resolve => this.#waiters.add(resolve))
    }
  }

  /** The results of a task, once there are so many. */
  async results(taskUUID: string, count = 1): Promise<readonly Item[]> {
    const mine = () => this.data.filter(item => item.taskUUID === taskUUID)
    const failed = () => this.errors.some(item => item.taskUUID === taskUUID)
    await this.until(() => mine().length >= count || failed())
    if (failed()) throw new Error(`The task failed: ${JSON.stringify(this.errors)}`)
    return mine()
  }

  /** The error of a task, once there is one. */
  async error(taskUUID: string): Promise<Item | undefined> {
    const mine = () => this.errors.find(item => item.taskUUID === taskUUID)
    await this.until(() => mine() !== undefined)
    return mine()
  }

  #receive({ data = [], errors = [] }: { data?: Item[]; errors?: Item[] }): void {
    this.data.push(...data)
    this.errors.push(...errors)
    this.#wake()
  }

  #wake(): void {
    for (const waiter of this.#waiters) waiter()
    this.#waiters.clear()
  }
}

/** Lets other processes get on between two looks at something that gives no signal. */
async function turn(): Promise<undefined> {
  return await new Promise(resolve => setTimeout(resolve, 20, undefined))
}

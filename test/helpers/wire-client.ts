import { once } from 'node:events'
import { WebSocket } from 'ws'
import type { ClientOptions } from 'ws'

/** An element of `data` or `errors` as it came. */
export type Item = Readonly<Record<string, unknown>>

/** A frame of the server. */
export interface Frame {
  readonly data?: readonly Item[]
  readonly errors?: readonly Item[]
  readonly error?: Item
}

/** A WebSocket client that queues what it hears, so that nothing is lost between two awaits. */
export class WireClient {
  readonly socket: WebSocket
  /** Every frame that came, in order. */
  readonly frames: Frame[] = []
  readonly texts: string[] = []
  readonly #closed: Promise<number>
  #read = 0
  #wake: (() => void)[] = []
  #closeCode: number | undefined

  constructor(url: string, options: ClientOptions & { readonly protocols?: readonly string[] } = {}) {
    this.socket = new WebSocket(url, [...options.protocols ?? []], { perMessageDeflate: false, ...options })
    this.socket.on('message', (data, isBinary) => {
      const text = isBinary ? '<binary>' : data.toString()
      this.texts.push(text)
      this.frames.push(JSON.parse(text) as Frame)
      this.#notify()
    })
    this.socket.on('error', () => undefined)
    this.#closed = new Promise(resolve => this.socket.on('close', code => {
      this.#closeCode = code
      resolve(code)
      this.#notify()
    }))
  }

  static async open(url: string, options?: ClientOptions & { readonly protocols?: readonly string[] }): Promise<WireClient> {
    const client = new WireClient(url, options)
    await once(client.socket, 'open')
    return client
  }

  send(...tasks: readonly unknown[]): void {
    this.socket.send(JSON.stringify(tasks))
  }

  /** The next frame nobody has taken. Rejects when the socket closes first. */
  async next(): Promise<Frame> {
    for (;;) {
      const frame = this.frames[this.#read]
      if (frame) {
        this.#read++
        return frame
      }
      if (this.#closeCode !== undefined) throw new Error(`The socket was closed with ${this.#closeCode} while a frame was awaited`)
      await new Promise<void>(resolve => this.#wake.push(resolve))
    }
  }

  /** Reads on until a frame fits; frames before it are skipped. */
  async waitForFrame(fits: (frame: Frame) => boolean): Promise<Frame> {
    for (;;) {
      const frame = await this.next()
      if (fits(frame)) return frame
    }
  }

  /** Reads on until `count` results of a task have come. */
  async results(taskUUID: string, count: number): Promise<readonly Item[]> {
    const items: Item[] = []
    while (items.length < count) {
      const frame = await this.waitForFrame(({ data }) => data?.some(item => item['taskUUID'] === taskUUID && item['imageUUID'] !== undefined) ?? false)
      items.push(...frame.data ?? [])
    }
    return items
  }

  /** Proves that nothing more was on its way: a ping is answered and nothing came before its pong. Returns what did come. */
  async settle(): Promise<readonly Frame[]> {
    this.send({ taskType: 'ping', ping: true })
    const before: Frame[] = []
    for (;;) {
      const frame = await this.next()
      if (frame.data?.[0]?.['pong'] === true) return before
      before.push(frame)
    }
  }

  /** Two round trips below the protocol: whatever either side had sent before has been handled by the other. */
  async roundTrip(): Promise<void> {
    for (let trip = 0; trip < 2; trip++) {
      const ponged = once(this.socket, 'pong')
      this.socket.ping()
      await Promise.race([ponged, this.#closed.then(code => { throw new Error(`The socket was closed with ${code} while a pong was awaited`) })])
    }
  }

  waitForClose(): Promise<number> {
    return this.#closed
  }

  /** Authenticates and returns the session's UUID. */
  async authenticate(apiKey: string, connectionSessionUUID?: string): Promise<string> {
    this.send({ taskType: 'authentication', apiKey, ...(connectionSessionUUID && { connectionSessionUUID }) })
    const { data } = await this.next()
    return String(data?.[0]?.['connectionSessionUUID'])
  }

  async close(): Promise<void> {
    this.socket.close()
    await this.#closed
  }

  /** Ends the connection as a lost network does. */
  async drop(): Promise<void> {
    this.socket.terminate()
    await this.#closed
  }

  #notify(): void {
    const wake = this.#wake
    this.#wake = []
    for (const resolve of wake) resolve()
  }
}

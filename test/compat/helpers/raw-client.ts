import { once } from 'node:events'
import { WebSocket } from 'ws'

/** One frame from the server, parsed. */
export interface Frame {
  readonly data?: readonly Record<string, unknown>[]
  readonly errors?: readonly Record<string, unknown>[]
  readonly error?: Record<string, unknown>
}

const frameWithinMs = 60_000

/** A WebSocket that keeps every frame, for replaying what a client's source sends. */
export class RawClient {
  readonly #socket: WebSocket
  readonly #frames: Frame[] = []
  readonly #waiting = new Set<() => void>()

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.on('message', (text: Buffer) => {
      this.#frames.push(JSON.parse(text.toString()) as Frame)
      for (const wake of this.#waiting) wake()
    })
    socket.on('error', () => {})
  }

  /** Opens a socket with the headers a client sends. */
  static async open(url: string, headers: Readonly<Record<string, string>> = {}): Promise<RawClient> {
    const socket = new WebSocket(url, { headers, perMessageDeflate: true })
    const client = new RawClient(socket)
    await once(socket, 'open')
    return client
  }

  get frames(): readonly Frame[] {
    return this.#frames
  }

  send(...tasks: readonly Record<string, unknown>[]): void {
    this.#socket.send(JSON.stringify(tasks))
  }

  /** Resolves when a WebSocket ping was answered. */
  async ping(): Promise<void> {
    this.#socket.ping()
    await once(this.#socket, 'pong')
  }

  /** The first frame from number `from` on that fits; rejects when none comes. */
  async frame(fits: (frame: Frame) => boolean, from = 0): Promise<Frame> {
    const deadline = AbortSignal.timeout(frameWithinMs)
    for (;;) {
      const found = this.#frames.slice(from).find(fits)
      if (found) return found
      await new Promise<void>((resolve, reject) => {
        const wake = () => {
          this.#waiting.delete(wake)
          resolve()
        }
        this.#waiting.add(wake)
        deadline.addEventListener('abort', () => reject(new Error(`no such frame among ${JSON.stringify(this.#frames).slice(0, 2000)}`)))
      })
    }
  }

  /** Resolves with the close code. */
  async closed(): Promise<number> {
    if (this.#socket.readyState === WebSocket.CLOSED) return 1006
    const [code] = (await once(this.#socket, 'close')) as [number]
    return code
  }

  async close(): Promise<void> {
    if (this.#socket.readyState === WebSocket.CLOSED) return
    this.#socket.close()
    await once(this.#socket, 'close')
  }
}

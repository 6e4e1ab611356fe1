import type { WebSocket } from 'ws'
import { authenticate, exchange, openSocket } from '../processes/bench-socket.ts'

const pauseMs = 20

/** Sends an application ping again and again, one at a time, for as long as it is not stopped. */
export class Pinger {
  readonly #socket: WebSocket
  readonly #running: Promise<void>
  readonly #ms: number[] = []
  #isStopped = false

  private constructor(socket: WebSocket) {
    this.#socket = socket
    this.#running = this.#run()
  }

  static async start(port: number): Promise<Pinger> {
    const socket = await openSocket(port)
    await authenticate(socket)
    return new Pinger(socket)
  }

  /** What its pings took. */
  async stop(): Promise<readonly number[]> {
    this.#isStopped = true
    await this.#running
    this.#socket.terminate()
    return this.#ms
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const sentAt = performance.now()
      await exchange(this.#socket, '[{"taskType":"ping","ping":true}]')
      this.#ms.push(performance.now() - sentAt)
      await new Promise(resolve => setTimeout(resolve, pauseMs))
    }
  }
}

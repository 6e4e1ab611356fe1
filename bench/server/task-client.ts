import { randomUUID } from 'node:crypto'
import type { WebSocket } from 'ws'
import type { TaskFields } from '../measure/request-mix.ts'
import { authenticate, openSocket } from '../processes/bench-socket.ts'

/** What comes back for a task. */
interface Waiting {
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

interface Frame {
  readonly data?: readonly { readonly taskUUID?: string }[]
  readonly errors?: readonly { readonly taskUUID?: string; readonly code?: string; readonly message?: string }[]
}

/** A client of one session that sends tasks of one picture each. */
export class TaskClient {
  readonly #socket: WebSocket
  readonly #model: string
  readonly #waiting = new Map<string, Waiting>()

  private constructor(socket: WebSocket, model: string) {
    this.#socket = socket
    this.#model = model
    socket.on('message', text => this.#hear(JSON.parse(String(text)) as Frame))
    socket.on('close', code => this.#failAll(new Error(`The server closed the socket with ${code}`)))
  }

  static async open(port: number, model: string, apiKey?: string): Promise<TaskClient> {
    const socket = await openSocket(port)
    await authenticate(socket, apiKey)
    return new TaskClient(socket, model)
  }

  /** Sends a task and resolves when its picture is there; gives the ms that took. */
  async picture(fields: TaskFields): Promise<number> {
    const taskUUID = randomUUID()
    const task = { taskType: 'imageInference', taskUUID, model: this.#model, positivePrompt: 'a red cup', ...fields }
    const sentAt = performance.now()
    const done = new Promise<void>((resolve, reject) => this.#waiting.set(taskUUID, { resolve, reject }))
    this.#socket.send(JSON.stringify([task]))
    await done
    return performance.now() - sentAt
  }

  close(): void {
    this.#waiting.clear()
    this.#socket.terminate()
  }

  #hear({ data = [], errors = [] }: Frame): void {
    for (const { taskUUID = '' } of data) this.#take(taskUUID)?.resolve()
    for (const { taskUUID, code, message } of errors) {
      const error = new Error(`A task was refused or failed: ${code}: ${message}`)
      if (taskUUID === undefined) this.#failAll(error)
      else this.#take(taskUUID)?.reject(error)
    }
  }

  #take(taskUUID: string): Waiting | undefined {
    const waiting = this.#waiting.get(taskUUID)
    this.#waiting.delete(taskUUID)
    return waiting
  }

  #failAll(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }
}

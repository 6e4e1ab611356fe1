import { encodeData, encodeErrors } from '../../protocol/index.ts'
import type { ErrorBody, TaskOf } from '../../protocol/index.ts'
import type { Metrics } from '../metrics.ts'
import type { Session } from '../sessions/session.ts'
import { rateLimited } from '../tasks/task-errors.ts'
import type { TaskDesk } from '../tasks/task-desk.ts'

/** The connection as its tasks see it. */
export interface TaskClient {
  /** The session whose socket it is; undefined before authentication and once the connection is on its way to its end. */
  readonly session: Session | undefined
  writable(): Promise<void>
  write(frame: string): void
  /** Ends the connection after something that nobody expected. */
  failed(error: unknown): void
}

/** What carrying out a connection's tasks takes. */
export interface ConnectionTasksOptions {
  readonly client: TaskClient
  readonly desk: TaskDesk
  /** Under which the client reaches the server, for image URLs. */
  readonly baseUrl: string
  /** Most uploads, and most polls, that may be under way at once. */
  readonly maxUnderWay: number
  readonly metrics: Pick<Metrics, 'taskErrors'>
}

/** Hands a connection's tasks in, and writes the answers that go to this connection alone. */
export class ConnectionTasks {
  readonly #options: ConnectionTasksOptions
  /** Polls are answered one after another, so that their pictures are not all in memory at once. */
  #polls: Promise<void> = Promise.resolve()
  #pollsUnderWay = 0
  #uploadsUnderWay = 0
  /** Aborted when the connection has closed. */
  readonly #gone = new AbortController()

  constructor(options: ConnectionTasksOptions) {
    this.#options = options
  }

  submit(task: TaskOf<'imageInference'>, session: Session): void {
    this.#run(this.#submit(task, session))
  }

  upload(task: TaskOf<'imageUpload'>, session: Session): void {
    this.#run(this.#upload(task, session))
  }

  poll(task: TaskOf<'getResponse'>, session: Session): void {
    const { taskType, request: { taskUUID } } = task
    if (this.#pollsUnderWay >= this.#options.maxUnderWay) return this.refuse(rateLimited({ taskType, taskUUID }, 'too many polls are under way'), session)
    this.#pollsUnderWay++
    this.#polls = this.#polls.then(() => this.#poll(task, session)).finally(() => { this.#pollsUnderWay-- }).catch((error: unknown) => this.#options.client.failed(error))
  }

  /** An error that a task waits for. The session owes it like a result, so that it survives a lost connection. */
  refuse(error: ErrorBody, session: Session): void {
    const { metrics, client } = this.#options
    metrics.taskErrors.inc({ code: error.code })
    if (!session.reject(error) && client.session === session) client.write(encodeErrors([error]))
  }

  /** Ends what only this connection waits for. */
  stop(): void {
    this.#gone.abort(new Error('The client hung up'))
  }

  #run(work: Promise<void>): void {
    void work.catch((error: unknown) => this.#options.client.failed(error))
  }

  async #submit(task: TaskOf<'imageInference'>, session: Session): Promise<void> {
    const { desk, baseUrl } = this.#options
    const error = await desk.submit(task, session, baseUrl)
    if (error) this.refuse(error, session)
  }

  /** The answer goes to this connection alone: a client that lost it uploads again. */
  async #upload(task: TaskOf<'imageUpload'>, session: Session): Promise<void> {
    const { client, desk, baseUrl, maxUnderWay } = this.#options
    const { taskType, request: { taskUUID } } = task
    if (this.#uploadsUnderWay >= maxUnderWay) return this.refuse(rateLimited({ taskType, taskUUID }, 'too many uploads are under way'), session)
    this.#uploadsUnderWay++
    const answer = await desk.upload(task, { account: session.account, baseUrl }, this.#gone.signal).finally(() => { this.#uploadsUnderWay-- })
    if (!client.session) return
    if (answer.type === 'error') this.refuse(answer.error, session)
    else client.write(encodeData(answer.items))
  }

  async #poll(task: TaskOf<'getResponse'>, { account }: Session): Promise<void> {
    const { client, desk } = this.#options
    await client.writable()
    if (!client.session) return
    const answer = await (await desk.poll(task, account)).build()
    if (client.session) client.write(answer.type === 'data' ? encodeData(answer.items) : encodeErrors([answer.error]))
  }
}

import type { ErrorBody, TaskOf } from '../../protocol/index.ts'
import type { TaskEvent, TaskEvents, TaskReader, TaskSubmitter } from '../queue/contract.ts'
import { QueueClosedError } from '../queue/queue-closed-error.ts'
import type { TaskKey, TaskRecord, TaskSnapshot } from '../queue/task-record.ts'
import { TaskStatus } from '../queue/task-record.ts'
import type { Session } from '../sessions/session.ts'
import type { ImageStore } from '../storage/image-store.ts'
import { answerCollected } from './collected.ts'
import type { Collected } from './collected.ts'
import { answerPoll } from './get-response.ts'
import type { PollAnswer } from './get-response.ts'
import { planImageInference } from './image-inference.ts'
import type { PlanContext, TaskOrigin } from './image-inference.ts'
import { keepUpload } from './image-upload.ts'
import type { UploadAnswer, UploadOptions } from './image-upload.ts'
import { isKept, keepInputs } from './keep-inputs.ts'
import type { Kept } from './keep-inputs.ts'
import { readyAnswer } from './pending-answer.ts'
import type { PendingAnswer } from './pending-answer.ts'
import { buildAcknowledgement } from './result-item.ts'
import { conflict, defective, rateLimited, unavailable } from './task-errors.ts'
import type { Named } from './task-errors.ts'

/** What a desk is made of. */
export interface TaskDeskOptions {
  readonly queue: TaskSubmitter & TaskReader & TaskEvents
  readonly images: ImageStore
  readonly plan: PlanContext
  readonly uploads: UploadOptions
  /** The live session of a UUID. */
  readonly findSession: (uuid: string) => Session | undefined
  /** Called once for every task that ends here, for logs and metrics; must not throw. */
  readonly onEnded?: (snapshot: TaskSnapshot) => void
  /** Called with what nobody expected to be thrown while this task was handled; its client gets internalServerError. Must not throw. */
  readonly onDefect: (error: unknown, task: Named) => void
}

/** A request that waits for the end of its task. */
interface Waiter {
  readonly record: TaskRecord
  readonly resolve: (snapshot: TaskSnapshot) => void
}

/**
 * Where tasks are handed in: plans them, submits them, and passes on what becomes of them.
 *
 * A defect that shows in one task ends that task alone: its error is internalServerError, and whoever handed it in goes on.
 */
export class TaskDesk {
  readonly #options: TaskDeskOptions
  /** Requests without a session that wait for a task's end. */
  readonly #waiting = new Map<string, Waiter>()
  /** Tasks not ended that somebody asked for by getResponse: they are wanted although their session may be gone. */
  readonly #polled = new Set<string>()
  #unsubscribe: (() => void) | undefined

  constructor(options: TaskDeskOptions) {
    this.#options = options
  }

  start(): void {
    this.#unsubscribe ??= this.#options.queue.subscribe(event => this.#hear(event))
  }

  stop(): void {
    this.#unsubscribe?.()
    this.#unsubscribe = undefined
  }

  /** Hands a session's task in. Resolves to the error when it was not accepted; whatever else it leads to goes to the session. */
  submit(task: TaskOf<'imageInference'>, session: Session, baseUrl: string): Promise<ErrorBody | undefined> {
    return this.#guard(task, () => this.#submit(task, session, baseUrl), error => error)
  }

  /** Answers getResponse. */
  poll(task: TaskOf<'getResponse'>, account: string): Promise<PendingAnswer<PollAnswer>> {
    return this.#guardAnswer(task, () => this.#poll(task, account), error => ({ type: 'error', error }))
  }

  /**
   * Hands in a task of a request without a session and waits for its end; an async one is done when it is acknowledged.
   * Aborting cancels the task.
   */
  collect(task: TaskOf<'imageInference'>, account: string, baseUrl: string, signal: AbortSignal): Promise<PendingAnswer<Collected>> {
    return this.#guardAnswer(task, () => this.#collect(task, account, baseUrl, signal), error => ({ items: [], error }))
  }

  /** Answers imageUpload. Aborting ends a fetch. */
  upload(task: TaskOf<'imageUpload'>, origin: TaskOrigin, signal: AbortSignal): Promise<UploadAnswer> {
    return this.#guard(task, () => keepUpload(task, origin, this.#options.uploads, signal), error => ({ type: 'error', error }))
  }

  /** Cancels what nobody will ask for: sync tasks of an expired session that nobody polled. Async ones go on for their polls. */
  abandon(tasks: readonly TaskRecord[]): void {
    for (const { key, delivery } of tasks) {
      if (delivery === 'sync' && !this.#polled.has(idOf(key))) this.#cancel(key)
    }
  }

  async #submit(task: TaskOf<'imageInference'>, session: Session, baseUrl: string): Promise<ErrorBody | undefined> {
    const preparing = this.#prepare(task, { account: session.account, sessionUUID: session.uuid, baseUrl })
    const prepared = preparing instanceof Promise ? await preparing : preparing
    if (prepared.type === 'refused') return prepared.error
    const { record } = prepared
    const reservation = session.reserve(record)
    if (reservation === 'full') return rateLimited(record, 'too many tasks or results of this session are under way')
    const outcome = await this.#options.queue.submit(record).catch((error: unknown) => this.#unreached(error, record))
    if (outcome?.type === 'accepted') return this.#accepted(record, session)
    if (reservation === 'reserved') session.release(record)
    if (!outcome) return unavailable(record)
    if (outcome.type === 'full') return rateLimited(record, 'the queue is full')
    if (!isRepeatedAsync(record, outcome.existing)) return conflict(record)
    session.acknowledgeAgain(record)
    return undefined
  }

  async #poll({ taskType, request: { taskUUID } }: TaskOf<'getResponse'>, account: string): Promise<PendingAnswer<PollAnswer>> {
    const key = { account, taskUUID: taskUUID.toLowerCase() }
    const id = idOf(key)
    // Before it is read: its end may be told while the reader still waits for what it was before.
    this.#polled.add(id)
    let snapshot: TaskSnapshot | undefined
    try {
      snapshot = await this.#options.queue.read(key)
    } catch (error) {
      this.#unreached(error, { taskType, taskUUID })
      return readyAnswer({ type: 'error', error: unavailable({ taskType: 'getResponse', taskUUID }) })
    } finally {
      if (!snapshot || isFinal(snapshot)) this.#polled.delete(id)
    }
    return answerPoll(snapshot, taskUUID, this.#options.images)
  }

  async #collect(task: TaskOf<'imageInference'>, account: string, baseUrl: string, signal: AbortSignal): Promise<PendingAnswer<Collected>> {
    const prepared = await this.#prepare(task, { account, baseUrl })
    if (prepared.type === 'refused') return readyAnswer({ items: [], error: prepared.error })
    const { record } = prepared
    const { queue } = this.#options
    const id = idOf(record.key)
    const cancel = () => this.#cancel(record.key)
    const end = new Promise<TaskSnapshot>(resolve => {
      if (record.delivery === 'sync' && !this.#waiting.has(id)) this.#waiting.set(id, { record, resolve })
    })
    try {
      const outcome = await queue.submit(record).catch((error: unknown) => this.#unreached(error, record))
      if (!outcome) return readyAnswer({ items: [], error: unavailable(record) })
      if (outcome.type === 'full') return readyAnswer({ items: [], error: rateLimited(record, 'the queue is full') })
      if (outcome.type === 'conflict' && !isRepeatedAsync(record, outcome.existing)) return readyAnswer({ items: [], error: conflict(record) })
      if (record.delivery === 'async') return readyAnswer({ items: [buildAcknowledgement(record)] })
      if (signal.aborted) cancel()
      signal.addEventListener('abort', cancel, { once: true })
      return answerCollected(await end, this.#options.images)
    } finally {
      signal.removeEventListener('abort', cancel)
      if (this.#waiting.get(id)?.record === record) this.#waiting.delete(id)
    }
  }

  /** Decides everything about a task, and stores the pictures that came inside it; at once where there are none. */
  #prepare(task: TaskOf<'imageInference'>, origin: TaskOrigin): Kept | Promise<Kept> {
    const plan = planImageInference(task, origin, this.#options.plan)
    if (plan.type === 'refused') return plan
    const { record } = plan
    return isKept(record) ? { type: 'kept', record } : keepInputs(record, this.#options.uploads.inputs)
  }

  #accepted(record: TaskRecord, session: Session): undefined {
    if (session.hasExpired) this.abandon([record])
    else session.accept(record)
    return undefined
  }

  /** Runs what handles one task; what it throws is a defect, for every failure that is expected is an answer. */
  async #guard<T>({ taskType, request: { taskUUID } }: TaskOf<'imageInference' | 'imageUpload' | 'getResponse'>, handle: () => Promise<T>, answer: (error: ErrorBody) => T): Promise<T> {
    const named = { taskType, taskUUID }
    try {
      return await handle()
    } catch (error) {
      this.#options.onDefect(error, named)
      return answer(defective(named))
    }
  }

  async #guardAnswer<T>(task: TaskOf<'imageInference' | 'getResponse'>, handle: () => Promise<PendingAnswer<T>>, answer: (error: ErrorBody) => T): Promise<PendingAnswer<T>> {
    const { inlineBytes, build } = await this.#guard(task, handle, error => readyAnswer(answer(error)))
    return { inlineBytes, build: () => this.#guard(task, build, answer) }
  }

  /** A queue that is being stopped says so; whatever else it throws is for the log. */
  #unreached(error: unknown, task: Named): undefined {
    if (!(error instanceof QueueClosedError)) this.#options.onDefect(error, task)
    return undefined
  }

  /** A task that cannot be cancelled runs to its end, which harms nobody. */
  #cancel(key: TaskKey): void {
    void this.#options.queue.cancel(key).catch(() => undefined)
  }

  /** The queue tells everyone in one go: what fails for one listener must reach neither the worker that commits nor the others. */
  #hear(event: TaskEvent): void {
    const record = event.type === 'result' ? event.record : event.snapshot.record
    try {
      this.#route(event, record)
    } catch (error) {
      this.#options.onDefect(error, record)
    }
  }

  #route(event: TaskEvent, record: TaskRecord): void {
    if (event.type === 'ended') {
      this.#options.onEnded?.(event.snapshot)
      if (this.#polled.size > 0 || this.#waiting.size > 0) this.#answer(event.snapshot)
    }
    if (record.sessionUUID) this.#options.findSession(record.sessionUUID)?.taskEvent(event)
  }

  #answer(snapshot: TaskSnapshot): void {
    const id = idOf(snapshot.record.key)
    this.#polled.delete(id)
    this.#waiting.get(id)?.resolve(snapshot)
  }
}

function isFinal({ status }: TaskSnapshot): boolean {
  return status !== TaskStatus.waiting && status !== TaskStatus.running
}

/** A client that missed its acknowledgement sends the task again, and has to get the acknowledgement and nothing else. */
function isRepeatedAsync(record: TaskRecord, existing: TaskSnapshot): boolean {
  return record.delivery === 'async' && existing.record.delivery === 'async'
}

function idOf({ account, taskUUID }: TaskKey): string {
  return `${taskUUID}/${account}`
}

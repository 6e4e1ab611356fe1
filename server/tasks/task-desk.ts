import type { Acknowledgement, ErrorBody, ImageResult, TaskOf } from '../../protocol/index.ts'
import type { SubmitOutcome, TaskEvent, TaskEvents, TaskReader, TaskSubmitter } from '../queue/contract.ts'
import type { TaskKey, TaskRecord, TaskSnapshot } from '../queue/task-record.ts'
import { TaskStatus } from '../queue/task-record.ts'
import type { Session } from '../sessions/session.ts'
import type { ImageStore } from '../storage/image-store.ts'
import { answerPoll } from './get-response.ts'
import type { PollAnswer } from './get-response.ts'
import { planImageInference } from './image-inference.ts'
import type { PlanContext, TaskOrigin } from './image-inference.ts'
import { keepUpload } from './image-upload.ts'
import type { UploadAnswer, UploadOptions } from './image-upload.ts'
import { keepInputs } from './keep-inputs.ts'
import type { Kept } from './keep-inputs.ts'
import { buildAcknowledgement, buildResultItem, unreadable } from './result-item.ts'
import { cancelled, conflict, rateLimited, unavailable } from './task-errors.ts'

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
}

/** Everything a request without a session gets for one task. */
export interface Collected {
  readonly items: readonly (ImageResult | Acknowledgement)[]
  readonly error?: ErrorBody
}

/** A request that waits for the end of its task. */
interface Waiter {
  readonly record: TaskRecord
  readonly resolve: (snapshot: TaskSnapshot) => void
}

/** Where tasks are handed in: plans them, submits them, and passes on what becomes of them. */
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
    this.#unsubscribe ??= this.#options.queue.subscribe(event => this.#route(event))
  }

  stop(): void {
    this.#unsubscribe?.()
    this.#unsubscribe = undefined
  }

  /** Hands a session's task in. Resolves to the error when it was not accepted; whatever else it leads to goes to the session. */
  async submit(task: TaskOf<'imageInference'>, session: Session, baseUrl: string): Promise<ErrorBody | undefined> {
    const prepared = await this.#prepare(task, { account: session.account, sessionUUID: session.uuid, baseUrl })
    if (prepared.type === 'refused') return prepared.error
    const { record } = prepared
    const reservation = session.reserve(record)
    if (reservation === 'full') return rateLimited(record, 'too many tasks or results of this session are under way')
    let outcome: SubmitOutcome
    try {
      outcome = await this.#options.queue.submit(record)
    } catch {
      if (reservation === 'reserved') session.release(record)
      return unavailable(record)
    }
    if (outcome.type === 'accepted') return this.#accepted(record, session)
    if (reservation === 'reserved') session.release(record)
    if (outcome.type === 'full') return rateLimited(record, 'the queue is full')
    if (!isRepeatedAsync(record, outcome.existing)) return conflict(record)
    session.acknowledgeAgain(record)
    return undefined
  }

  /** Answers getResponse. */
  async poll({ request: { taskUUID } }: TaskOf<'getResponse'>, account: string): Promise<PollAnswer> {
    const key = { account, taskUUID: taskUUID.toLowerCase() }
    let snapshot: TaskSnapshot | undefined
    try {
      snapshot = await this.#options.queue.read(key)
    } catch {
      return { type: 'error', error: unavailable({ taskType: 'getResponse', taskUUID }) }
    }
    if (snapshot && !isFinal(snapshot)) this.#polled.add(idOf(key))
    return answerPoll(snapshot, taskUUID, this.#options.images)
  }

  /**
   * Hands in a task of a request without a session and waits for its end; an async one is done when it is acknowledged.
   * Aborting cancels the task.
   */
  async collect(task: TaskOf<'imageInference'>, account: string, baseUrl: string, signal: AbortSignal): Promise<Collected> {
    const prepared = await this.#prepare(task, { account, baseUrl })
    if (prepared.type === 'refused') return { items: [], error: prepared.error }
    const { record } = prepared
    const { queue } = this.#options
    const id = idOf(record.key)
    const cancel = () => void queue.cancel(record.key).catch(() => undefined)
    const end = new Promise<TaskSnapshot>(resolve => {
      if (record.delivery === 'sync' && !this.#waiting.has(id)) this.#waiting.set(id, { record, resolve })
    })
    try {
      const outcome = await queue.submit(record).catch(() => undefined)
      if (!outcome) return { items: [], error: unavailable(record) }
      if (outcome.type === 'full') return { items: [], error: rateLimited(record, 'the queue is full') }
      if (outcome.type === 'conflict' && !isRepeatedAsync(record, outcome.existing)) return { items: [], error: conflict(record) }
      if (record.delivery === 'async') return { items: [buildAcknowledgement(record)] }
      if (signal.aborted) cancel()
      signal.addEventListener('abort', cancel, { once: true })
      return await this.#gather(await end)
    } finally {
      signal.removeEventListener('abort', cancel)
      if (this.#waiting.get(id)?.record === record) this.#waiting.delete(id)
    }
  }

  /** Answers imageUpload. Aborting ends a fetch. */
  upload(task: TaskOf<'imageUpload'>, origin: TaskOrigin, signal: AbortSignal): Promise<UploadAnswer> {
    return keepUpload(task, origin, this.#options.uploads, signal)
  }

  /** Cancels what nobody will ask for: sync tasks of an expired session that nobody polled. Async ones go on for their polls. */
  abandon(tasks: readonly TaskRecord[]): void {
    for (const { key, delivery } of tasks) {
      if (delivery === 'sync' && !this.#polled.has(idOf(key))) void this.#options.queue.cancel(key).catch(() => undefined)
    }
  }

  /** Decides everything about a task, and stores the pictures that came inside it. */
  async #prepare(task: TaskOf<'imageInference'>, origin: TaskOrigin): Promise<Kept> {
    const plan = planImageInference(task, origin, this.#options.plan)
    return plan.type === 'refused' ? plan : keepInputs(plan.record, this.#options.uploads.inputs)
  }

  #accepted(record: TaskRecord, session: Session): undefined {
    if (session.hasExpired) this.abandon([record])
    else session.accept(record)
    return undefined
  }

  #route(event: TaskEvent): void {
    const record = event.type === 'result' ? event.record : event.snapshot.record
    if (event.type === 'ended') {
      const id = idOf(record.key)
      this.#polled.delete(id)
      this.#options.onEnded?.(event.snapshot)
      this.#waiting.get(id)?.resolve(event.snapshot)
    }
    if (record.sessionUUID) this.#options.findSession(record.sessionUUID)?.taskEvent(event)
  }

  async #gather({ record, results, status, error }: TaskSnapshot): Promise<Collected> {
    if (status === TaskStatus.cancelled) return { items: [], error: cancelled(record) }
    try {
      const items = await Promise.all(results.map(result => buildResultItem(record, result, this.#options.images)))
      return error ? { items, error } : { items }
    } catch (cause) {
      return { items: [], error: unreadable(record, cause) }
    }
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

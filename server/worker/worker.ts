import { EngineError, EngineErrorCode } from '../../engine/index.ts'
import { AccountSlots } from '../account-slots.ts'
import { joinSignals } from '../joint-signal.ts'
import type { Log } from '../log.ts'
import type { Lease } from '../queue/contract.ts'
import { toErrorBody } from './error-mapping.ts'
import { Room } from './room.ts'
import { runTask } from './task-runner.ts'
import type { TaskRunnerOptions } from './task-runner.ts'

/** What a worker is made of. */
export interface WorkerOptions extends Omit<TaskRunnerOptions, 'compute' | 'waitElsewhere'> {
  readonly name: string
  /** Most results that may be under way at once, beside those that are kept for newcomers. */
  readonly capacity: number
  readonly log: Log
}

/** Jobs that may wait for other machines at once; what comes beyond keeps its room while it waits for its turn. */
const maxElsewhere = 64

/**
 * Of the capacity: room beside it for accounts of which nothing is under way. Where one account has filled the worker, another's task
 * would have to wait until a picture is done; like this it joins at the next step.
 */
const newcomersShare = 1 / 4

/** Why a running task was stopped by a drain; it is given back, not failed. */
class DrainError extends Error {
  override readonly name = 'DrainError'
}

/**
 * Claims tasks for as long as it has room, and runs them side by side on one engine.
 *
 *     claim → read pictures → generate → encode → store → upload → commit → settle | fail | give back
 */
export class Worker {
  readonly #options: WorkerOptions
  readonly #room: Room
  readonly #newcomersRoom: Room
  readonly #elsewhere = new AccountSlots(maxElsewhere)
  readonly #running = new Set<Promise<void>>()
  /** Aborted by `drain`: nothing more is claimed. */
  readonly #claiming = new AbortController()
  /** Aborted when a drain's time is over: what runs is given back. */
  readonly #working = new AbortController()

  constructor(options: WorkerOptions) {
    this.#options = options
    this.#room = new Room(options.capacity)
    this.#newcomersRoom = new Room(Math.ceil(options.capacity * newcomersShare))
  }

  /** Works until drained; rejects when the queue cannot be reached any more. */
  async run(): Promise<void> {
    const { claims, name } = this.#options
    const { signal } = this.#claiming
    await Promise.all([
      this.#keepClaiming(this.#room, room => claims.claim(name, room, signal)),
      this.#keepClaiming(this.#newcomersRoom, room => claims.claimForNewcomers(name, room, signal)),
    ])
    await Promise.all(this.#running)
  }

  /** Claims nothing more, lets what runs end until the signal aborts, then gives it back. `run` resolves when that is done. */
  drain(deadline: AbortSignal): void {
    const stopWorking = () => this.#working.abort(new DrainError('The worker is stopping'))
    if (deadline.aborted) stopWorking()
    else deadline.addEventListener('abort', stopWorking, { once: true })
    this.#claiming.abort(new DrainError('The worker is stopping'))
    this.#room.wake()
    this.#newcomersRoom.wake()
  }

  async #keepClaiming(room: Room, claim: (room: number) => Promise<readonly Lease[]>): Promise<void> {
    while (!this.#claiming.signal.aborted) {
      if (room.left > 0) await this.#claim(room, claim)
      else await room.wait()
    }
  }

  async #claim(room: Room, claim: (room: number) => Promise<readonly Lease[]>): Promise<void> {
    try {
      for (const lease of await claim(room.left)) this.#start(lease, room)
    } catch (error) {
      if (!this.#claiming.signal.aborted) throw error
    }
  }

  #start(lease: Lease, room: Room): void {
    const run = this.#run(lease, room).finally(() => this.#running.delete(run))
    this.#running.add(run)
  }

  async #run(lease: Lease, room: Room): Promise<void> {
    const { claims, log, now } = this.#options
    const { taskUUID, taskType } = lease.record
    let left = lease.record.results.length - lease.committed.length
    room.take(left)
    const startedAt = now()
    const stop = joinSignals([lease.signal, this.#working.signal])
    try {
      if (this.#claiming.signal.aborted) return await claims.giveBack(lease)
      const waitElsewhere = <T>(results: number, job: () => Promise<T>) => this.#waitElsewhere(room, lease.record.key.account, results, job)
      const compute = <T>(job: () => Promise<T>) => room.compute(job)
      await runTask({ ...this.#options, compute, waitElsewhere }, lease, stop.signal, () => {
        left--
        room.free(1)
      })
      await claims.settle(lease)
      log.debug('taskRun', { taskUUID, taskType, durationMs: now() - startedAt, isRetry: lease.isRetry })
    } catch (error) {
      await this.#endBadly(lease, error)
    } finally {
      stop.leave()
      room.free(left)
    }
  }

  async #endBadly(lease: Lease, error: unknown): Promise<void> {
    const { claims, log } = this.#options
    const { taskUUID } = lease.record
    try {
      if (lease.signal.aborted) return await claims.settle(lease)
      if (error instanceof DrainError || isEngineStopped(error)) return await claims.giveBack(lease)
      log.warn('taskFailed', { taskUUID, model: lease.record.request.model, error })
      await claims.fail(lease, toErrorBody(error, lease.record))
    } catch (cause) {
      // The queue is gone, and with it the lease: whoever holds the queue gives the task out again.
      log.error('leaseNotEnded', { taskUUID, error: cause })
    }
  }

  /** A slow server of one client must not keep the device from the others, so its task leaves its room to them. */
  #waitElsewhere<T>(room: Room, account: string, results: number, job: () => Promise<T>): Promise<T> {
    return this.#elsewhere.use(account, async () => {
      room.free(results)
      try {
        return await job()
      } finally {
        room.take(results)
      }
    })
  }
}

function isEngineStopped(error: unknown): boolean {
  return error instanceof EngineError && error.code === EngineErrorCode.stopped
}

import { formatDevice } from '../../engine/index.ts'
import type { Device, RunReport } from '../../engine/index.ts'
import type { Log } from '../log.ts'
import type { TaskClaimer } from '../queue/contract.ts'
import { ClaimBridge } from './claim-bridge.ts'
import type { FromWorker, WorkerSettings } from './ipc-messages.ts'
import type { ForkWorker, WorkerProcess } from './worker-process.ts'
import { WorkerState } from './worker-status.ts'
import type { WorkerStatus } from './worker-status.ts'

/** When a worker that ended is started again, and when it is given up. */
export interface RestartPolicy {
  readonly firstDelayMs: number
  readonly maxDelayMs: number
  /** Starts in a row that did not reach readiness, after which there is no further one. */
  readonly maxFailedStarts: number
  /** A worker that was ready for this long starts again with the first delay. */
  readonly steadyAfterMs: number
  /** A worker that says nothing for this long is ended; a single run of a network may take minutes on a processor. */
  readonly stalledAfterMs: number
}

/** What the supervisor tells others. */
export interface WorkerObserver {
  onRun(device: string, report: RunReport): void
  onStateChange(status: WorkerStatus): void
}

/** What keeping one worker alive takes. */
export interface WorkerSupervisorOptions {
  readonly device: Device
  readonly queue: TaskClaimer
  readonly fork: ForkWorker
  /** Settings of the next process, whose name is unique. */
  readonly settings: (worker: string) => WorkerSettings
  readonly policy: RestartPolicy
  readonly observer: WorkerObserver
  readonly log: Log
  /** Monotonic clock, ms. */
  readonly now: () => number
}

/** How often leases are renewed and silence is looked for. */
const tickMs = 2_000

/** What a worker has after its time to finish is over, for giving back and leaving. */
const stopGraceMs = 1_000

const nextStates: Readonly<Record<WorkerState, readonly WorkerState[]>> = {
  starting: [WorkerState.ready, WorkerState.backingOff, WorkerState.failed, WorkerState.stopped],
  ready: [WorkerState.backingOff, WorkerState.stopped],
  backingOff: [WorkerState.starting, WorkerState.stopped],
  failed: [WorkerState.stopped],
  stopped: [],
}

/** One process and what belongs to it; replaced as a whole at a restart. */
interface Incarnation {
  readonly process: WorkerProcess
  readonly bridge: ClaimBridge
  readonly ended: Promise<void>
  heardAt: number
  readyAt?: number
  startError?: string
}

/**
 * Keeps one worker process alive on one device.
 *
 *     starting ──ready──▶ ready ──exit──▶ backingOff ──delay──▶ starting
 *        └──exit──▶ backingOff, or failed after too many failed starts in a row
 *
 * A process that ends loses its leases in the same turn, so its tasks are given out again at once.
 */
export class WorkerSupervisor {
  readonly #options: WorkerSupervisorOptions
  #state: WorkerState = WorkerState.backingOff
  #reason: string | undefined = 'The worker has not been started yet'
  #current: Incarnation | undefined
  #incarnations = 0
  #failedStarts = 0
  #restarts = 0
  #delayMs: number
  #restartTimer: NodeJS.Timeout | undefined
  #ticker: NodeJS.Timeout | undefined

  constructor(options: WorkerSupervisorOptions) {
    this.#options = options
    this.#delayMs = options.policy.firstDelayMs
  }

  get status(): WorkerStatus {
    const pid = this.#current?.process.pid
    return {
      device: this.#options.device,
      state: this.#state,
      restarts: this.#restarts,
      ...(pid !== undefined && { pid }),
      ...(this.#reason !== undefined && { reason: this.#reason }),
    }
  }

  start(): void {
    this.#ticker = setInterval(() => this.#tick(), tickMs).unref()
    this.#launch()
  }

  /** Lets the worker finish what it runs for at most `withinMs`, then ends it; idempotent. */
  async stop(withinMs: number): Promise<void> {
    clearInterval(this.#ticker)
    clearTimeout(this.#restartTimer)
    const current = this.#current
    if (this.#state !== WorkerState.stopped) this.#to(WorkerState.stopped, 'The worker was stopped')
    if (!current) return
    current.process.send({ type: 'drain', withinMs })
    // One that is still starting has nothing to finish. A ready one deep in a run sees the message after it.
    const killer = setTimeout(() => current.process.kill(), current.readyAt === undefined ? 0 : withinMs + stopGraceMs)
    await current.ended
    clearTimeout(killer)
  }

  #launch(): void {
    const { device, queue, fork, settings, log, now } = this.#options
    const worker = `${formatDevice(device)}#${++this.#incarnations}`
    const process = fork()
    const bridge = new ClaimBridge({ worker, queue, channel: process })
    const ended = new Promise<void>(resolve => process.onExit(how => {
      void bridge.close().catch((error: unknown) => log.error('leasesNotAbandoned', { worker, error })).then(resolve)
      this.#onExit(incarnation, how)
    }))
    const incarnation: Incarnation = { process, bridge, ended, heardAt: now() }
    this.#current = incarnation
    this.#to(WorkerState.starting, 'The worker is starting')
    process.onMessage(message => {
      incarnation.heardAt = now()
      if (message.type === 'hello') process.send({ type: 'start', settings: settings(worker) })
      else this.#onMessage(incarnation, message)
    })
  }

  #onMessage(incarnation: Incarnation, message: FromWorker): void {
    const { log, observer, device, now } = this.#options
    if (incarnation !== this.#current || this.#state === WorkerState.stopped) return
    if (message.type === 'run') return observer.onRun(formatDevice(device), message.report)
    if (message.type === 'startFailed') incarnation.startError = message.reason
    if (message.type !== 'ready') return
    for (const { air, reason } of message.broken) log.warn('modelBroken', { model: air, reason })
    incarnation.readyAt = now()
    this.#failedStarts = 0
    this.#to(WorkerState.ready, undefined)
  }

  #onExit(incarnation: Incarnation, how: string): void {
    if (incarnation !== this.#current) return
    this.#current = undefined
    if (this.#state === WorkerState.stopped) return
    const { policy, now } = this.#options
    if (incarnation.readyAt === undefined) {
      this.#failedStarts++
      const reason = incarnation.startError ?? `The worker process ${how} while it was starting`
      if (this.#failedStarts >= policy.maxFailedStarts) return this.#to(WorkerState.failed, `${reason} (${this.#failedStarts} starts in a row)`)
      return this.#restartLater(reason)
    }
    this.#restarts++
    if (now() - incarnation.readyAt >= policy.steadyAfterMs) this.#delayMs = policy.firstDelayMs
    this.#restartLater(`The worker process ${how}`)
  }

  #restartLater(reason: string): void {
    this.#to(WorkerState.backingOff, reason)
    this.#restartTimer = setTimeout(() => this.#launch(), this.#delayMs)
    this.#delayMs = Math.min(this.#delayMs * 2, this.#options.policy.maxDelayMs)
  }

  /** The gateway knows whether the process lives; how long one run keeps its thread is no sign of death. */
  #tick(): void {
    const { log, now, policy, device } = this.#options
    const current = this.#current
    if (!current) return
    if (now() - current.heardAt >= policy.stalledAfterMs) {
      log.error('workerStalled', { device: formatDevice(device), pid: current.process.pid, silentMs: now() - current.heardAt })
      return current.process.kill()
    }
    void current.bridge.renew().catch((error: unknown) => log.error('leasesNotRenewed', { device: formatDevice(device), error }))
  }

  #to(next: WorkerState, reason: string | undefined): void {
    if (!nextStates[this.#state].includes(next)) throw new Error(`A ${this.#state} worker cannot become ${next}`)
    this.#state = next
    this.#reason = reason
    const { status } = this
    const level = next === WorkerState.failed ? 'error' : next === WorkerState.backingOff ? 'warn' : 'info'
    this.#options.log[level]('workerState', { device: formatDevice(status.device), state: next, pid: status.pid, reason })
    this.#options.observer.onStateChange(status)
  }
}

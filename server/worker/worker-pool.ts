import { formatDevice } from '../../engine/index.ts'
import type { Device, RunReport } from '../../engine/index.ts'
import { WorkerSupervisor } from './worker-supervisor.ts'
import type { WorkerSupervisorOptions } from './worker-supervisor.ts'
import { WorkerState } from './worker-status.ts'
import type { WorkerStatus } from './worker-status.ts'

/** What a pool is made of. */
export interface WorkerPoolOptions extends Omit<WorkerSupervisorOptions, 'device' | 'observer' | 'settings'> {
  readonly devices: readonly Device[]
  readonly settings: (device: Device, worker: string) => ReturnType<WorkerSupervisorOptions['settings']>
  /** Called for every run of a network on any worker. */
  readonly onRun: (device: string, report: RunReport) => void
}

/** One worker process for each device. */
export class WorkerPool {
  readonly #supervisors: readonly WorkerSupervisor[]
  readonly #waiters = new Set<() => void>()

  constructor({ devices, settings, onRun, ...shared }: WorkerPoolOptions) {
    const observer = { onRun, onStateChange: () => this.#wake() }
    this.#supervisors = devices.map(device => new WorkerSupervisor({
      ...shared, device, observer, settings: worker => settings(device, worker),
    }))
  }

  get statuses(): readonly WorkerStatus[] {
    return this.#supervisors.map(({ status }) => status)
  }

  get isReady(): boolean {
    return this.statuses.some(({ state }) => state === WorkerState.ready)
  }

  /** Why no worker is ready, in one sentence for people; undefined when one is. */
  get unreadyReason(): string | undefined {
    if (this.isReady) return undefined
    return this.statuses.map(({ device, reason }) => `${formatDevice(device)}: ${reason ?? 'not ready'}`).join('; ')
  }

  start(): void {
    for (const supervisor of this.#supervisors) supervisor.start()
  }

  /** Resolves with true when a worker is ready, with false when all have failed or were stopped. */
  async whenReady(): Promise<boolean> {
    while (!this.isReady) {
      if (this.statuses.every(({ state }) => state === WorkerState.failed || state === WorkerState.stopped)) return false
      await new Promise<void>(resolve => this.#waiters.add(resolve))
    }
    return true
  }

  /** Stops all workers, letting each finish what it runs for at most `withinMs`; idempotent. */
  async stop(withinMs: number): Promise<void> {
    await Promise.all(this.#supervisors.map(supervisor => supervisor.stop(withinMs)))
  }

  #wake(): void {
    for (const waiter of this.#waiters) waiter()
    this.#waiters.clear()
  }
}

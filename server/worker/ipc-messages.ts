import type { Device, ModelPrecision, ModelRegistry, RunReport } from '../../engine/index.ts'
import type { ErrorBody } from '../../protocol/error-body.ts'
import type { LogLevel } from '../log.ts'
import type { FetchLimits } from '../outbound/fetch-limits.ts'
import type { CommittedResult, TaskRecord } from '../queue/task-record.ts'

/** Everything a worker process is told when it starts; structured-cloneable. */
export interface WorkerSettings {
  /** Unique over restarts: leases belong to it. */
  readonly worker: string
  readonly device: Device
  readonly precision: ModelPrecision
  /** What the server found in its models folders: looked at once, and the same for all that plan and compute tasks. */
  readonly registry: Pick<ModelRegistry, 'models' | 'broken'>
  /** AIRs to try for the warm-up, the likeliest first; the first that loads is enough. */
  readonly warmUp: readonly string[]
  readonly threads: number
  readonly weightsBudgetBytes: number
  readonly maxRows: number
  /** The device's own where absent. */
  readonly maxCells?: number
  /** Most results that may be under way at once. */
  readonly capacity: number
  readonly imageFolder: string
  /** Lifetime of a picture whose task says nothing. */
  readonly imageTtlSeconds: number
  readonly fetch: FetchLimits
  readonly logLevel: LogLevel
}

/** A lease on its way to the worker; the number names it on the way back. */
export interface WireLease {
  readonly id: number
  readonly record: TaskRecord
  readonly committed: readonly number[]
  readonly isRetry: boolean
}

/** What a worker asks of the queue. */
export type ClaimCall =
  | { readonly method: 'claim' | 'claimForNewcomers'; readonly room: number }
  | { readonly method: 'commit'; readonly lease: number; readonly result: CommittedResult }
  | { readonly method: 'fail'; readonly lease: number; readonly error: ErrorBody }
  | { readonly method: 'settle'; readonly lease: number }
  | { readonly method: 'giveBack'; readonly lease: number }

/** Messages of the claim protocol that a worker sends. */
export type ClaimRequest =
  | { readonly type: 'call'; readonly id: number; readonly call: ClaimCall }
  /** Ends the wait of a claim. */
  | { readonly type: 'abortCall'; readonly id: number }
  | { readonly type: 'alive' }

/** Messages of the claim protocol that a worker gets. */
export type ClaimResponse =
  | { readonly type: 'reply'; readonly id: number; readonly value?: unknown }
  | { readonly type: 'refusal'; readonly id: number; readonly message: string }
  | { readonly type: 'leaseEnded'; readonly lease: number; readonly reason: string }

/** From a worker process to its gateway. */
export type FromWorker =
  | ClaimRequest
  /** The process is up and waits for its settings. */
  | { readonly type: 'hello' }
  | { readonly type: 'ready'; readonly warmed: string; readonly broken: readonly { readonly air: string; readonly reason: string }[] }
  | { readonly type: 'startFailed'; readonly reason: string }
  | { readonly type: 'run'; readonly report: RunReport }

/** From a gateway to its worker process. */
export type ToWorker =
  | ClaimResponse
  | { readonly type: 'start'; readonly settings: WorkerSettings }
  /** Claim nothing more, finish what runs for at most this long, give the rest back, exit. */
  | { readonly type: 'drain'; readonly withinMs: number }

import type { GenerationRequest } from '../../engine/index.ts'
import type { ErrorBody } from '../../protocol/error-body.ts'

/** Identity of a task: whose it is, and its taskUUID in lower case. */
export interface TaskKey {
  readonly account: string
  readonly taskUUID: string
}

/** How the client wants its pictures. */
export interface OutputOptions {
  /** One or more fields of each result. */
  readonly types: readonly ('URL' | 'base64Data' | 'dataURI')[]
  readonly format: 'JPG' | 'PNG' | 'WEBP'
  /** 20 to 99; ignored by PNG. */
  readonly quality: number
  /** Seconds the stored picture lives; the store's default where absent. */
  readonly ttlSeconds?: number
  /** Where each picture is sent, beside the store. */
  readonly uploadUrl?: string
}

/** One picture of a task; fixed at acceptance, so a second computation gives the same item. */
export interface PlannedResult {
  readonly index: number
  readonly seed: number
  readonly imageUUID: string
}

/** A picture as a queued task names it; the worker turns it into a file. */
export type ImageReference =
  /** In the image store, where it belongs to the task's account. */
  | { readonly type: 'stored'; readonly imageUUID: string }
  | { readonly type: 'url'; readonly url: string }

/** What a task's pictures have in common. */
export type TaskRequest<Image = ImageReference> = Omit<GenerationRequest<Image>, 'id' | 'owner' | 'seed'>

/** An accepted task: everything a worker and a delivery need, nothing of the socket it came on. Immutable and structured-cloneable. */
export interface TaskRecord<Image = ImageReference> {
  readonly key: TaskKey
  /** As the client sent it, byte for byte. */
  readonly taskUUID: string
  /** As the client sent it. */
  readonly taskType: string
  /** Session whose outbox gets the results; absent for REST. */
  readonly sessionUUID?: string
  readonly delivery: 'sync' | 'async'
  readonly request: TaskRequest<Image>
  readonly results: readonly PlannedResult[]
  readonly output: OutputOptions
  /** Scheme, host and path prefix under which this client reaches images, no trailing slash. */
  readonly baseUrl: string
  /** Price of one result; present when the client asked for the cost. */
  readonly costPerResult?: number
  /** Wall clock, ms since the epoch. */
  readonly acceptedAt: number
}

/** Where a finished picture lies; what a result frame is built from. */
export interface CommittedResult {
  readonly index: number
  readonly imageUUID: string
  readonly seed: number
  readonly byteLength: number
  readonly format: OutputOptions['format']
  /** Whether it shows sensitive content; present if and only if the task asked for the check. */
  readonly isSensitive?: boolean
  /** Why it could not be sent to the task's `uploadUrl`. */
  readonly uploadFailure?: string
}

/** waiting → running → completed | failed | cancelled; the last three are final. */
export const TaskStatus = {
  waiting: 'waiting',
  running: 'running',
  completed: 'completed',
  failed: 'failed',
  cancelled: 'cancelled',
} as const
export type TaskStatus = (typeof TaskStatus)[keyof typeof TaskStatus]

/** The state of a task at one moment. */
export interface TaskSnapshot {
  readonly record: TaskRecord
  readonly status: TaskStatus
  /** Committed so far, by index. */
  readonly results: readonly CommittedResult[]
  /** Present when failed. */
  readonly error?: ErrorBody
}

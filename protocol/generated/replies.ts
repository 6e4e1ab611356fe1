// Generated from schemas/ by `npm run generate`; do not edit.
import type { ErrorBody } from '../error-body.ts'

/**
 * Answer to an authentication; alone in its frame.
 */
export interface AuthenticationReply {
  /**
   * `authentication`.
   */
  readonly taskType: string
  /**
   * Names the session, for resuming it on another connection.
   */
  readonly connectionSessionUUID: string
}

/**
 * Answer to a ping; alone in its frame.
 */
export interface Pong {
  /**
   * `ping`.
   */
  readonly taskType: string
  /**
   * Always true.
   */
  readonly pong: boolean
}

/**
 * An async task was accepted.
 */
export interface Acknowledgement {
  /**
   * As sent.
   */
  readonly taskType: string
  /**
   * As sent.
   */
  readonly taskUUID: string
}

/**
 * One finished picture.
 */
export interface ImageResult {
  /**
   * As sent.
   */
  readonly taskType: string
  /**
   * As sent.
   */
  readonly taskUUID: string
  /**
   * Names the picture; the same for every delivery of the same result.
   */
  readonly imageUUID: string
  /**
   * Always `success`.
   */
  readonly status: 'success'
  /**
   * Where the picture can be fetched without a key; with outputType `URL`.
   */
  readonly imageURL?: string
  /**
   * The file in base64; with outputType `base64Data`.
   */
  readonly imageBase64Data?: string
  /**
   * The file as a data URI; with outputType `dataURI`.
   */
  readonly imageDataURI?: string
  /**
   * The seed that gives this picture again.
   */
  readonly seed: number
  /**
   * Whether the safety checker flags the picture; with `checkNSFW` or `safety.checkContent`.
   */
  readonly NSFWContent?: boolean
  /**
   * With `includeCost`.
   */
  readonly cost?: number
  /**
   * Why the picture could not be sent to `uploadEndpoint`; absent when it was.
   */
  readonly uploadError?: ErrorBody
}

/**
 * An uploaded picture is kept.
 */
export interface ImageUploadResult {
  /**
   * As sent.
   */
  readonly taskType: string
  /**
   * As sent.
   */
  readonly taskUUID: string
  /**
   * Names the picture in later tasks of the same account.
   */
  readonly imageUUID: string
  /**
   * Where the picture can be fetched without a key.
   */
  readonly imageURL: string
}

/**
 * A result that is not ready, in an answer to getResponse.
 */
export interface ProcessingItem {
  /**
   * Of the task that is read.
   */
  readonly taskType: string
  /**
   * Of the task that is read.
   */
  readonly taskUUID: string
  /**
   * Always `processing`.
   */
  readonly status: 'processing'
}

/**
 * An error that may have been delivered before, replayed after a resume as data so that it fails nobody else.
 */
export interface ErrorItem {
  /**
   * As sent.
   */
  readonly taskType: string
  /**
   * As sent.
   */
  readonly taskUUID: string
  /**
   * Always `error`.
   */
  readonly status: 'error'
  /**
   * The error.
   */
  readonly error: ErrorBody
}

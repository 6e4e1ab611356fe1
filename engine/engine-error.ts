/** What kept a generation from becoming a picture. */
export const EngineErrorCode = {
  /** The networks ran, but what they gave is no picture, or the runtime failed. */
  inferenceError: 'inferenceError',
  /** Not even this generation alone fits into the device's memory. */
  outOfMemory: 'outOfMemory',
  /** A value that this model or noise scheduler cannot do; `parameter` names it. */
  invalidParameter: 'invalidParameter',
  /** The engine was stopped while the generation was inside. */
  stopped: 'stopped',
} as const
export type EngineErrorCode = (typeof EngineErrorCode)[keyof typeof EngineErrorCode]

/** A generation could not be computed; the others are not affected. */
export class EngineError extends Error {
  readonly code: EngineErrorCode
  /** Field of the GenerationRequest that is to blame, by its domain name. */
  readonly parameter?: string

  constructor(code: EngineErrorCode, message: string, options: { readonly parameter?: string; readonly cause?: unknown } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.name = 'EngineError'
    this.code = code
    if (options.parameter !== undefined) this.parameter = options.parameter
  }
}

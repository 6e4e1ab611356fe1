/** Why a picture that a task names cannot be used. */
export const InputImageFault = {
  /** It is no picture, or one that is not allowed. */
  invalid: 'invalid',
  /** The account has no such picture, or it has expired. */
  notFound: 'notFound',
  /** Its URL or the store does not give it. */
  unreachable: 'unreachable',
  /** The account may keep no more pictures now. */
  full: 'full',
} as const
export type InputImageFault = (typeof InputImageFault)[keyof typeof InputImageFault]

/** A task's picture cannot be used; the message is for its client, names no parameter and ends without a full stop. */
export class InputImageError extends Error {
  override readonly name = 'InputImageError'
  readonly fault: InputImageFault
  /** Path of the request's field that names the picture; set where it is known. */
  readonly parameter?: string

  constructor(fault: InputImageFault, message: string, options: { readonly parameter?: string; readonly cause?: unknown } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.fault = fault
    if (options.parameter !== undefined) this.parameter = options.parameter
  }

  /** The same, with the field that it is about. */
  about(parameter: string): InputImageError {
    return new InputImageError(this.fault, this.message, { parameter, cause: this })
  }
}

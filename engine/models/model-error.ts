/** A model, or a models folder, that cannot be used; the message is a sentence for people and holds no absolute path. */
export class ModelError extends Error {
  override readonly name = 'ModelError'
  /** AIR of the model at fault, where it is known: a request may name several. */
  readonly air?: string

  constructor(message: string, { air, ...options }: ErrorOptions & { readonly air?: string } = {}) {
    super(message, options)
    if (air !== undefined) this.air = air
  }
}

/** A model, or a models folder, that cannot be used; the message is a sentence for people and holds no absolute path. */
export class ModelError extends Error {
  override readonly name = 'ModelError'
}

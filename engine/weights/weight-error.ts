/** A weight file or a tensor in it that cannot be used; the message is a sentence for people and holds no absolute path. */
export class WeightError extends Error {
  override readonly name = 'WeightError'
}

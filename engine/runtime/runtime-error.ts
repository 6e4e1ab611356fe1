/** A graph could not be opened or run on the device; the message is one sentence. */
export class RuntimeError extends Error {
  override readonly name = 'RuntimeError'
}

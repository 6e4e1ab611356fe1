/** The server cannot be started; the message is a sentence for the person who started it, who may know paths. */
export class StartError extends Error {
  override readonly name = 'StartError'
}

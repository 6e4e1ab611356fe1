/** A queue that is being stopped was given a task. */
export class QueueClosedError extends Error {
  override readonly name = 'QueueClosedError'
}

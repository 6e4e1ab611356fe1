/** One end of a two-way line between two processes; keeps the order of messages. */
export interface Channel<Out, In> {
  /** A message to a closed line is dropped: its sender learns from `onClose`. */
  send(message: Out): void
  onMessage(listener: (message: In) => void): void
  onClose(listener: () => void): void
}

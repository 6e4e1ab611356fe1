/** What a session needs of the socket it is attached to. */
export interface SessionSocket {
  /** False while its buffer is full. */
  readonly hasRoom: boolean
  /** Resolves when the socket takes a frame; at once where its buffer has room. */
  writable(): Promise<void>
  write(frame: string): void
  /** Sends a WebSocket ping, whose pong comes back as `Session.pong`. */
  ping(payload: string): void
  /** Called when another socket took the session over. */
  replaced(): void
  /** Called when writing to it failed in a way that nobody expected; ends it, and what is owed waits for a resume. */
  failed(error: unknown): void
  /** Cuts the connection without a word: its peer does not read. */
  terminate(): void
}

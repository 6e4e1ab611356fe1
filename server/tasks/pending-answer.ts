/** An answer whose pictures are still in the store, so that whoever sends it decides how many are in memory at once. */
export interface PendingAnswer<Answer> {
  /** About what its pictures take when they are built in, bytes. */
  readonly inlineBytes: number
  readonly build: () => Promise<Answer>
}

/** An answer without pictures inside. */
export function readyAnswer<Answer>(answer: Answer): PendingAnswer<Answer> {
  return { inlineBytes: 0, build: () => Promise.resolve(answer) }
}

/** Where a generation stands; ordered, so that finished is one comparison. */
export const GenerationStatus = {
  /** Not yet part of a run. */
  waiting: 0,
  /** Its prompts are encoded, its latents denoised or decoded. */
  running: 1,
  completed: 2,
  failed: 3,
  cancelled: 4,
} as const
export type GenerationStatus = (typeof GenerationStatus)[keyof typeof GenerationStatus]

/** Whether a generation in this status will change no more. */
export function isFinished(status: GenerationStatus): boolean {
  return status >= GenerationStatus.completed
}

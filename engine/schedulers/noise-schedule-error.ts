/** A model's noise schedule says something that no algorithm, or not the chosen one, can follow. The message is for people. */
export class NoiseScheduleError extends Error {
  override readonly name = 'NoiseScheduleError'
}

/** A prompt that cannot be encoded, with what is wrong in a sentence for people. */
export class PromptError extends Error {
  override readonly name = 'PromptError'
}

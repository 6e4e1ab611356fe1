/** A vector that stands where a token's own would stand: part of a learnt embedding. */
export interface VectorToken {
  /** Equal keys stand for equal vectors. */
  readonly key: string
  readonly vector: Float32Array
  /** What the vector is multiplied with. */
  readonly scale: number
}

/** What a text encoder takes at one place: an id of its vocabulary, or a vector. */
export type PromptToken = number | VectorToken

/** A learnt embedding as prompts name it. */
export interface PromptEmbedding {
  /** The text that stands for it. */
  readonly trigger: string
  /** What comes into its place. */
  readonly tokens: readonly VectorToken[]
}

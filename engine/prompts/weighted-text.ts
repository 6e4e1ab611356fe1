/** Text that is tokenized by itself, and how strongly it is meant. */
export interface WeightedText {
  readonly text: string
  readonly weight: number
}

/** Where a block's states go: rows of `stride` numbers from `offset` on. */
export interface BlockPlace {
  readonly data: Float32Array
  readonly offset: number
  readonly stride: number
}

/** Adds states [tokens, width] to a block, each token's times its weight, or all times one. */
export function addWeighted({ data, offset, stride }: BlockPlace, states: Float32Array, width: number, weights: number | readonly number[]): void {
  for (let token = 0, from = 0; from < states.length; token++, from += width) {
    const weight = typeof weights === 'number' ? weights : (weights[token] as number)
    const to = offset + token * stride
    for (let i = 0; i < width; i++) data[to + i] = (data[to + i] as number) + weight * (states[from + i] as number)
  }
}

/** Adds arrays of equal length, each times its weight. */
export function weightedSum(arrays: readonly Float32Array[], weights: readonly number[]): Float32Array {
  const sums = new Float64Array(arrays[0].length)
  arrays.forEach((array, k) => {
    const weight = weights[k]
    for (let i = 0; i < sums.length; i++) sums[i] += weight * array[i]
  })
  return new Float32Array(sums)
}

/** Whether every number is finite; one pass without branches, because it runs on every row of every step. */
export function isFiniteArray(values: Float32Array): boolean {
  let zero = 0
  for (let i = 0; i < values.length; i++) zero += (values[i] as number) * 0
  return zero === 0
}

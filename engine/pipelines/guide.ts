/**
 * Classifier-free guidance (Ho and Salimans, 2022), in place: cond ← uncond + scale · (cond − uncond).
 * Computed in float32 order, as the reference does, so that large scales round alike.
 */
export function guide(conditioned: Float32Array, unconditioned: Float32Array, scale: number): Float32Array {
  const { fround } = Math
  const factor = fround(scale)
  for (let i = 0; i < conditioned.length; i++) {
    const base = unconditioned[i] as number
    conditioned[i] = base + fround(factor * fround((conditioned[i] as number) - base))
  }
  return conditioned
}

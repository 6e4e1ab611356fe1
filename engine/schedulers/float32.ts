// PyTorch computes the coefficients of a step in single precision, and some of them are differences of nearly equal
// numbers. Rounding where it rounds keeps those differences equal to the reference.

/** Rounds to single precision. */
export const f32 = Math.fround

export function exp32(x: number): number {
  return Math.fround(Math.exp(x))
}

export function expm1f32(x: number): number {
  return Math.fround(Math.expm1(x))
}

export function log32(x: number): number {
  return Math.fround(Math.log(x))
}

export function sqrt32(x: number): number {
  return Math.fround(Math.sqrt(x))
}

const bits = new Uint32Array(1)
const float = new Float32Array(bits.buffer)

/** The bits of the half-precision number nearest to a finite one; what is too small for a normal number becomes zero. */
export function toFloat16(value: number): number {
  float[0] = value
  const single = bits[0] as number
  const sign = (single >>> 16) & 0x8000
  const exponent = ((single >>> 23) & 0xff) - 127 + 15
  if (exponent <= 0) return sign
  if (exponent >= 31) return sign | 0x7c00
  const mantissa = single & 0x7fffff
  const half = sign | (exponent << 10) | (mantissa >>> 13)
  // Round to even; a carry out of the mantissa is just what the next exponent is.
  const rest = mantissa & 0x1fff
  return rest > 0x1000 || (rest === 0x1000 && (half & 1) === 1) ? half + 1 : half
}

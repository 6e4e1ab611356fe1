import { f32, sqrt32 } from './float32.ts'

/** Latents + sigma · noise: a sample of algorithms that keep it as x0 + sigma · noise. */
export function addNoiseBySigma(latents: Float32Array, noise: Float32Array, sigma: number): Float32Array {
  return latents.map((value, i) => value + f32(noise[i] * sigma))
}

/** Alpha · latents + sigma · noise: a sample of algorithms that keep its variance. */
export function addNoiseByLevel(
  latents: Float32Array,
  noise: Float32Array,
  { alpha, sigma }: { readonly alpha: number; readonly sigma: number },
): Float32Array {
  return latents.map((value, i) => f32(alpha * value) + f32(sigma * noise[i]))
}

/** The level of a share ᾱ of signal. */
export function levelOf(alphaProd: number): { readonly alpha: number; readonly sigma: number } {
  return { alpha: sqrt32(alphaProd), sigma: sqrt32(f32(1 - alphaProd)) }
}

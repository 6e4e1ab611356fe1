import { f32, sqrt32 } from './float32.ts'

/** Latents + sigma · noise: a sample of algorithms that keep it as x0 + sigma · noise. */
export function addNoiseBySigma(latents: Float32Array, noise: Float32Array, sigma: number): Float32Array {
  // A loop, here and in all that runs in every step: it takes a quarter of the time of a typed array's map.
  const out = new Float32Array(latents.length)
  for (let i = 0; i < out.length; i++) out[i] = latents[i] + f32(noise[i] * sigma)
  return out
}

/** Alpha · latents + sigma · noise: a sample of algorithms that keep its variance. */
export function addNoiseByLevel(
  latents: Float32Array,
  noise: Float32Array,
  { alpha, sigma }: { readonly alpha: number; readonly sigma: number },
): Float32Array {
  const out = new Float32Array(latents.length)
  for (let i = 0; i < out.length; i++) out[i] = f32(alpha * latents[i]) + f32(sigma * noise[i])
  return out
}

/** The level of a share ᾱ of signal. */
export function levelOf(alphaProd: number): { readonly alpha: number; readonly sigma: number } {
  return { alpha: sqrt32(alphaProd), sigma: sqrt32(f32(1 - alphaProd)) }
}

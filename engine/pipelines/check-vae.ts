import { EngineError } from '../engine-error.ts'
import type { LoadedModel, LoadedVae } from '../models/loaded-model.ts'

/** Throws an EngineError that names `vae` when a VAE is of other latents than the model's. */
export function checkVae({ spec, latentChannels, latentFactor }: LoadedModel, vae: LoadedVae): void {
  if (vae.latentChannels === latentChannels && vae.latentFactor === latentFactor) return
  const latents = (channels: number, factor: number): string => `latents of ${channels} channels, each cell ${factor} pixels wide`
  const message = `vae: it is for ${latents(vae.latentChannels, vae.latentFactor)}, and ${spec.air} has ${latents(latentChannels, latentFactor)}`
  throw new EngineError('invalidParameter', message, { parameter: 'vae' })
}

import type { DecodedRequest } from '../core/generation-request.ts'
import type { LoadedModel } from '../models/loaded-model.ts'
import type { NoiseSchedulerRun, NoiseSource } from '../schedulers/noise-scheduler.ts'
import { latentMask } from './latent-mask.ts'
import type { DenoiseState, ImageLatents, LatentDistribution } from './pipeline.ts'

/** What the first latents of a generation are made of. */
export interface FirstLatentsOptions {
  readonly model: Pick<LoadedModel, 'latentChannels' | 'latentFactor' | 'takesMask'>
  readonly run: NoiseSchedulerRun
  readonly noise: NoiseSource
  /** Of the request's pictures; those it needs are there. */
  readonly images: ImageLatents
}

/**
 * What a generation starts from, its random numbers drawn in the reference's order: the sample of the picture's latents,
 * the noise, the sample of the picture without what is repainted.
 */
export function firstLatents(request: DecodedRequest, options: FirstLatentsOptions): Pick<DenoiseState, 'latents' | 'known' | 'maskInput'> {
  const { model, run, noise, images } = options
  const [width, height] = [request.width / model.latentFactor, request.height / model.latentFactor]
  const length = model.latentChannels * height * width
  const image = images.initImage && sample(images.initImage, noise)
  const fresh = noise.next(length)
  const latents = startOf(request, model.takesMask, run, image, fresh)
  if (model.takesMask) {
    const masked = sample(images.maskedImage as LatentDistribution, noise)
    return { latents, maskInput: joined(latentMask(request.mask, width, height, model.latentFactor), masked) }
  }
  if (request.mask === undefined || image === undefined) return { latents }
  // The reference encodes the masked picture for every network; what it draws for it is drawn here too.
  noise.next(length)
  return { latents, known: { latents: image, noise: fresh, mask: latentMask(request.mask, width, height, model.latentFactor) } }
}

/** Inpainting starts from pure noise at full strength; image to image never does. Without a step there is nothing to add noise for. */
function startOf(
  { mask, strength }: DecodedRequest,
  takesMask: boolean,
  run: NoiseSchedulerRun,
  image: Float32Array | undefined,
  fresh: Float32Array,
): Float32Array {
  const isInpainting = mask !== undefined || takesMask
  if (image === undefined || (isInpainting && strength === 1)) return fresh.map((value) => value * run.initNoiseSigma)
  return run.timesteps.length === 0 ? image : run.addNoise(image, fresh, 0)
}

/** Mean + deviation · noise. */
function sample({ mean, deviation }: LatentDistribution, noise: NoiseSource): Float32Array {
  const drawn = noise.next(mean.length)
  for (let i = 0; i < drawn.length; i++) drawn[i] = (mean[i] as number) + Math.fround((deviation[i] as number) * (drawn[i] as number))
  return drawn
}

function joined(first: Float32Array, second: Float32Array): Float32Array {
  const all = new Float32Array(first.length + second.length)
  all.set(first)
  all.set(second, first.length)
  return all
}

/**
 * Puts the known picture, at the noise level of the next evaluation, where nothing is repainted (Lugmayr et al., 2022,
 * "RePaint", equation 8, without resampling); after the last one the picture itself.
 */
export function keepKnown({ known, run }: Pick<DenoiseState, 'known' | 'run'>, latents: Float32Array, next: number): Float32Array {
  if (known === undefined) return latents
  const kept = next < run.timesteps.length ? run.addNoise(known.latents, known.noise, next) : known.latents.slice()
  const cells = known.mask.length
  for (let i = 0; i < kept.length; i++) if (known.mask[i % cells] === 1) kept[i] = latents[i] as number
  return kept
}

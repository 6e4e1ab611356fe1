import type { GenerationRequest } from '../core/generation-request.ts'
import type { AddedInputs } from '../models/loaded-model.ts'

/** Aesthetic scores a refiner is asked for and asked to avoid; diffusers' own. */
const SCORE = 6
const NEGATIVE_SCORE = 2.5

/**
 * The numbers SDXL's networks are told of a picture: it is trained at the size it is asked for, and not cropped; the
 * refiner takes a score in place of the target's size. "SDXL: Improving Latent Diffusion Models" (Podell et al., 2023), 2.2.
 */
export function timeIds({ width, height }: Pick<GenerationRequest, 'width' | 'height'>, kind: AddedInputs['timeIds'], isNegative: boolean): Float32Array {
  const original = [height, width, 0, 0]
  if (kind === 'sizes') return Float32Array.of(...original, height, width)
  return Float32Array.of(...original, isNegative ? NEGATIVE_SCORE : SCORE)
}

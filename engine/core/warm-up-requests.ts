import { randomUUID } from 'node:crypto'
import type { ModelSpec } from '../models/model-spec.ts'
import type { DecodedRequest, RgbImage } from './generation-request.ts'

/**
 * One step at the model's usual size over this many UNet rows, two for each picture with guidance: they run each network
 * once in the shape that requests will have.
 * @param withPicture whether the first begins with a picture, for the VAE's encoder
 */
export function warmUpRequests(spec: ModelSpec, rows: number, withPicture: boolean): readonly DecodedRequest[] {
  const guided = Array.from({ length: Math.floor(rows / 2) }, () => warmUpRequest(spec, 7.5))
  const [first, ...more] = rows % 2 === 0 ? guided : [...guided, warmUpRequest(spec, 1)]
  if (first === undefined) return []
  return [withPicture ? { ...first, initImage: blackImage(first), strength: 1 } : first, ...more]
}

function blackImage({ width, height }: DecodedRequest): RgbImage {
  return { width, height, data: new Uint8Array(width * height * 3) }
}

function warmUpRequest({ air, defaults }: ModelSpec, guidanceScale: number): DecodedRequest {
  return {
    id: `warm-up-${randomUUID()}`,
    owner: 'warm-up',
    model: air,
    prompt: '',
    negativePrompt: '',
    width: defaults.width ?? 512,
    height: defaults.height ?? 512,
    totalSteps: 1,
    noiseScheduler: 'Default',
    guidanceScale,
    clipSkip: 0,
    seed: 0,
  }
}

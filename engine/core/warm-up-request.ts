import { randomUUID } from 'node:crypto'
import type { ModelSpec } from '../models/model-spec.ts'
import type { GenerationRequest } from './generation-request.ts'

/** One step at the model's usual size with guidance: it runs each network once in the shape the first request will have. */
export function warmUpRequest({ air, defaults }: ModelSpec): GenerationRequest {
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
    guidanceScale: 7.5,
    clipSkip: 0,
    seed: 0,
  }
}

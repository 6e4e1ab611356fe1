import type { ModelFamily } from './model-spec.ts'

/** Whether checkpoints of a family may take the last steps over from those of another: they share latents and noise levels. */
export function canRefine(refiner: ModelFamily | undefined, base: ModelFamily | undefined): boolean {
  return base === 'sdxl' && (refiner === 'sdxlRefiner' || refiner === 'sdxl')
}

import type { ErrorBody } from '../../protocol/index.ts'

/** What the engine calls a value, what clients call it, and the code of its error. */
const wireParameters = {
  prompt: { parameter: 'positivePrompt', code: 'invalidPositivePrompt' },
  negativePrompt: { parameter: 'negativePrompt', code: 'invalidNegativePrompt' },
  model: { parameter: 'model', code: 'invalidModel' },
  width: { parameter: 'width', code: 'invalidWidth' },
  height: { parameter: 'height', code: 'invalidHeight' },
  totalSteps: { parameter: 'steps', code: 'invalidSteps' },
  noiseScheduler: { parameter: 'scheduler', code: 'invalidScheduler' },
  guidanceScale: { parameter: 'CFGScale', code: 'invalidCFGScale' },
  vae: { parameter: 'vae', code: 'invalidVae' },
  refiner: { parameter: 'refiner', code: 'invalidRefiner' },
  clipSkip: { parameter: 'clipSkip', code: 'invalidClipSkip' },
  seed: { parameter: 'seed', code: 'invalidSeed' },
} as const satisfies Readonly<Record<string, WireParameter>>

/** A parameter as clients know it. */
export type WireParameter = Pick<ErrorBody, 'code'> & { readonly parameter: string }

/** Finds what clients call a field of the engine's request; undefined when they have no such thing. */
export function wireParameterOf(field: string): WireParameter | undefined {
  return Object.entries(wireParameters).find(([name]) => name === field)?.[1]
}

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
  checkContent: { parameter: 'checkNSFW', code: 'invalidCheckNSFW' },
  initImage: { parameter: 'seedImage', code: 'invalidSeedImage' },
  strength: { parameter: 'strength', code: 'invalidStrength' },
  mask: { parameter: 'maskImage', code: 'invalidMaskImage' },
  maskMargin: { parameter: 'maskMargin', code: 'invalidMaskMargin' },
  outpainting: { parameter: 'outpaint', code: 'invalidOutpaint' },
  seed: { parameter: 'seed', code: 'invalidSeed' },
} as const satisfies Readonly<Record<string, WireParameter>>

/** As above for what each element of a list says; the fields inside have the same names. */
const wireLists = {
  ipAdapters: { parameter: 'ipAdapters', code: 'invalidIpAdapters' },
  loras: { parameter: 'lora', code: 'invalidLora' },
  embeddings: { parameter: 'embeddings', code: 'invalidEmbeddings' },
  controlNets: { parameter: 'controlNet', code: 'invalidControlNet' },
} as const satisfies Readonly<Record<string, WireParameter>>
const LIST_FIELD = /^(\w+)(\[\d+\]\.\w+)?$/

/** A parameter as clients know it. */
export type WireParameter = Pick<ErrorBody, 'code'> & { readonly parameter: string }

/** Finds what clients call a field of the engine's request, such as `seed` or `controlNets[0].model`; undefined when they have no such thing. */
export function wireParameterOf(field: string): WireParameter | undefined {
  const known = Object.entries(wireParameters).find(([name]) => name === field)?.[1]
  if (known) return known
  const [, name, inside = ''] = LIST_FIELD.exec(field) ?? []
  const list = Object.entries(wireLists).find(([each]) => each === name)?.[1]
  return list && { ...list, parameter: list.parameter + inside }
}

import { WeightError } from './weight-error.ts'

/** Under which diffusers keeps a LoRA's configuration in the file's metadata. */
const METADATA_KEY = 'lora_adapter_metadata'

/** What up · down of a layer is multiplied by, by the metadata; undefined where they say nothing of its component. */
export type LoraScaling = (component: string, layer: string, rank: number) => number | undefined

/**
 * The scaling that a file's metadata state: peft's configuration, one for each component. Where there is one it counts, and
 * tensors named alpha do not, as in diffusers. Throws a WeightError for what is not computed.
 */
export function loraScaling(metadata: ReadonlyMap<string, string>): LoraScaling {
  const text = metadata.get(METADATA_KEY)
  if (text === undefined) return () => undefined
  const config = parse(text)
  for (const [key, value] of Object.entries(config)) {
    if (/\.(use_dora|lora_bias)$/.test(key) && value === true) throw new WeightError(`its metadata ask for ${key}, which is not supported`)
  }
  return (component, layer, rank) => {
    const alpha = patternAlpha(config[`${component}.alpha_pattern`], layer) ?? config[`${component}.lora_alpha`]
    if (alpha === undefined) return undefined
    if (typeof alpha !== 'number' || !Number.isFinite(alpha)) throw new WeightError(`its metadata have no number for ${component}.lora_alpha`)
    return config[`${component}.use_rslora`] === true ? alpha / Math.sqrt(rank) : alpha / rank
  }
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {
    // Told below, as for any other text that is no object.
  }
  throw new WeightError(`its metadata hold a ${METADATA_KEY} that is no JSON object`)
}

/** A pattern is the end of a layer's name, from one of its dots on. */
function patternAlpha(patterns: unknown, layer: string): unknown {
  if (typeof patterns !== 'object' || patterns === null) return undefined
  return Object.entries(patterns).find(([pattern]) => layer === pattern || layer.endsWith(`.${pattern}`))?.[1]
}

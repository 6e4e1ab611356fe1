import type { Activation } from '../graph/layers.ts'
import type { ConfigReader } from './config-reader.ts'

const ACTIVATIONS = { quick_gelu: 'quickGelu', gelu: 'gelu' } as const satisfies Record<string, Activation>
const NAMES = Object.keys(ACTIVATIONS) as (keyof typeof ACTIVATIONS)[]

/** The activation function between the linear layers of a CLIP encoder. */
export function clipActivation(reader: ConfigReader): Activation {
  return ACTIVATIONS[reader.choice('hidden_act', NAMES, 'quick_gelu')]
}

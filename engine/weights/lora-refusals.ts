import { quoteName } from './quote-name.ts'
import { WeightError } from './weight-error.ts'

// Kinds of adapter that come in the same files, by keys only they have. None is ever taken for less than it is.
const KINDS: readonly (readonly [string, RegExp])[] = [
  ['a DoRA', /\.(dora_scale|lora_magnitude_vector(\.[A-Za-z0-9_-]+)?(\.weight)?)$/],
  ['a LoHa', /\.hada_(w1|w2|t1|t2)/],
  ['a LoKr', /\.lokr_(w1|w2|t1|t2)/],
  ['a LoCon with a middle factor', /\.lora_mid\./],
  ['an OFT', /\.(oft_|boft_|oft_blocks)/],
  ['a GLoRA', /\.(a1|a2|b1|b2|bm1|bm2)\.weight$/],
  ['an IA3', /\.on_input$/],
  ['a LoRA with biases', /\.lora_(B|up)(\.[A-Za-z0-9_-]+)?\.bias$|\.lora\.up\.bias$/],
  ['full differences of weights', /\.(diff|diff_b|w_norm|b_norm|set_weight)$/],
  ['a bundled embedding', /^bundle_emb\./],
]

/** Throws a WeightError that names the key when it belongs to an adapter of a kind that is not computed. */
export function refuseForeignKey(key: string): void {
  const kind = KINDS.find(([, pattern]) => pattern.test(key))?.[0]
  if (kind !== undefined) throw new WeightError(`its key ${quoteName(key)} is of ${kind}, which is not supported`)
}

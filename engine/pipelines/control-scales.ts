import type { ControlMode, ControlNetUse } from '../core/generation-request.ts'
import type { LoadedControlNet } from '../models/loaded-model.ts'

/** How a request uses a ControlNet, but for the pictures. */
export type ControlSettings = Pick<ControlNetUse<unknown>, 'weight' | 'start' | 'end' | 'controlMode'>

/**
 * Whether a ControlNet has a say in evaluation i of n: when i/n ≥ start and (i + 1)/n ≤ end, as in diffusers, and it has a weight.
 */
export function hasSay({ weight, start, end }: ControlSettings, evaluation: number, evaluations: number): boolean {
  return weight > 0 && evaluation / evaluations >= start && (evaluation + 1) / evaluations <= end
}

/** Where a row of a run stands: which of how many evaluations it is, and for which of the prompts. */
export interface ControlMoment {
  readonly evaluation: number
  readonly evaluations: number
  readonly isNegative: boolean
}

/** What each finer map counts for less than the one below it, by the UI that brought the mode up. */
const SOFTNESS = 0.825
/** The place that counts in full under that rule; SDXL's ten maps end before it. */
const FULL_PLACE = 12

/**
 * Writes what a ControlNet's maps are multiplied with in one row, from the finest map to the UNet's middle.
 *
 * `balanced` takes every map in full. `prompt` is the web UI extension's "My prompt is more important": 0.825^(12 − place). `controlNet` is diffusers' guess
 * mode: logarithmic steps from 0.1 to 1, and nothing for the negative prompt. A pooled ControlNet is for the prompt's own
 * prediction in any mode, and its maps are not stepped.
 */
export function writeControlScales(
  use: ControlSettings, net: Pick<LoadedControlNet, 'isPooled'>, moment: ControlMoment, out: Float32Array,
): void {
  const { weight, controlMode } = use
  const { evaluation, evaluations, isNegative } = moment
  if (!hasSay(use, evaluation, evaluations) || (isNegative && (net.isPooled || controlMode === 'controlNet'))) {
    out.fill(0)
    return
  }
  for (let place = 0; place < out.length; place++) out[place] = weight * mapFactor(controlMode, place, out.length, net.isPooled)
}

function mapFactor(mode: ControlMode, place: number, maps: number, isPooled: boolean): number {
  switch (mode) {
    case 'balanced':
      return 1
    case 'prompt':
      return SOFTNESS ** Math.max(0, FULL_PLACE - place)
    case 'controlNet':
      return isPooled ? 1 : 10 ** (place / (maps - 1) - 1)
    default:
      throw new Error(`unknown control mode ${JSON.stringify(mode satisfies never)}`)
  }
}

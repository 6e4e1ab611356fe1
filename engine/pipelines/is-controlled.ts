import { hasSay } from './control-scales.ts'
import type { DenoiseState } from './pipeline.ts'

/** Whether any of a generation's ControlNets has a say in its next step. */
export function isControlled({ controls, evaluation, run }: Pick<DenoiseState, 'controls' | 'evaluation' | 'run'>): boolean {
  return controls.some((control) => hasSay(control, evaluation, run.timesteps.length))
}

import { hasSay } from './control-scales.ts'
import type { DenoiseState, RequestParts, SteeredUnet } from './pipeline.ts'

/**
 * The UNet of a generation's next step where it is not the checkpoint's own.
 *
 * IP-Adapters act in every step, ControlNets in those in which they have a say. In the others a generation without IP-Adapters
 * goes back to the checkpoint's UNet; one with both stays, with zeros for the ControlNets' scales: the two fifths that they cost
 * in those steps are less than the weights of a third UNet.
 *
 * @param state undefined while there is none yet
 */
export function steeredUnetOf({ steered }: RequestParts, state: DenoiseState | undefined): SteeredUnet | undefined {
  return steered === undefined || steered.ipAdapters.length > 0 || state === undefined || isControlled(state) ? steered : undefined
}

/** Whether any of a generation's ControlNets has a say in its next step. */
function isControlled({ controls, evaluation, run }: DenoiseState): boolean {
  return controls.some((control) => hasSay(control, evaluation, run.timesteps.length))
}

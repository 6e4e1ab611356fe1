import type { Device } from './model-session.ts'

/**
 * Latent cells (rows times height times width) beyond which a run on the processor takes as much longer as it does more,
 * so that more of them only make everybody else wait. It is one picture of 256x256 with guidance, or four of 128x128.
 */
const cpuCells = 2048

/** Most latent cells of a run that pay on a device; none where it takes whatever there is. */
export function maxCellsFor(device: Device): number {
  return device.type === 'cpu' ? cpuCells : Infinity
}

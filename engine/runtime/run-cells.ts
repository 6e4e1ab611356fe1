import type { Device } from './model-session.ts'

/**
 * Latent cells (rows times height times width) of a run on the processor, beyond which it takes nearly as much longer as it does
 * more: twice the cells give 14 % more rows a second, and everybody else waits for twice as long. It is one picture of 256x256
 * with guidance, or four of 128x128.
 */
const cpuCells = 2048

/** Most latent cells of a run that pay on a device; none where it takes whatever there is. */
export function maxCellsFor(device: Device): number {
  return device.type === 'cpu' ? cpuCells : Infinity
}

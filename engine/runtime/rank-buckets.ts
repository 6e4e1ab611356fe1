import type { Device } from './model-session.ts'

/** Below this a multiplication on CUDA is no faster; and no rank at all is a shape that its libraries need not know. */
const SMALLEST_ON_CUDA = 8

/**
 * To which rank the LoRAs of a run are filled up on a device, with zeros. On CUDA that is a power of two, so that few shapes
 * appear; on the processor every rank is as good as another, and none costs least.
 */
export function rankRounding(device: Device): (rank: number) => number {
  if (device.type === 'cpu') return rank => rank
  return rank => Math.max(SMALLEST_ON_CUDA, 2 ** Math.ceil(Math.log2(Math.max(1, rank))))
}

import { extname } from 'node:path'
import { WeightError } from './weight-error.ts'

const PICKLE_EXTENSIONS: ReadonlySet<string> = new Set(['.ckpt', '.pt', '.pth', '.bin', '.pkl', '.pickle'])
const ADVICE = 'pickle files can run code and are never loaded; use a .safetensors file'

/** Whether a file name is one that pickled weights usually have. */
export function isPickleName(name: string): boolean {
  return PICKLE_EXTENSIONS.has(extname(name).toLowerCase())
}

/** Throws a WeightError for a file name that pickled weights usually have; the file is not even opened. */
export function refusePickleName(name: string): void {
  if (isPickleName(name)) throw new WeightError(`${name} is refused: ${ADVICE}`)
}

/**
 * What a file is that does not start like a `.safetensors` file, for the message that refuses it.
 *
 * The first bytes alone cannot refuse a file: the header length 0x0280 starts as a pickle does. So this is asked only
 * after the file was found unusable.
 */
export function describeForeignFile(start: Uint8Array, headerLength: bigint): string {
  const isZip = start[0] === 0x50 && start[1] === 0x4b
  const isPickle = start[0] === 0x80 && start[1] !== undefined && start[1] <= 5
  if (isZip || (isPickle && start[8] !== 0x7b)) return ADVICE
  if (start.length <= 8) return 'it is too short'
  if (start[8] !== 0x7b) return 'it does not start with a header'
  return `its header's length of ${headerLength} bytes is more than the file or the limit allows`
}

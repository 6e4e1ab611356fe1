import type { StoredImage } from './image-store.ts'

/** The longest line of facts; one that is longer is not ours. */
const maxFactsBytes = 4096

const lineFeed = 0x0a

/** A stored picture as one file: its facts as a line of JSON, then its bytes. One file, so that one rename publishes both. */
export function encodeImageFile(image: StoredImage, bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`${JSON.stringify(image)}\n`), bytes])
}

/** The inverse; undefined for a file that is cut short or not ours. */
export function decodeImageFile(file: Buffer): { readonly image: StoredImage; readonly bytes: Uint8Array } | undefined {
  const end = file.subarray(0, maxFactsBytes).indexOf(lineFeed)
  if (end < 0) return undefined
  const image = parseFacts(file.toString('utf8', 0, end))
  const bytes = file.subarray(end + 1)
  return image?.byteLength === bytes.length ? { image, bytes } : undefined
}

function parseFacts(line: string): StoredImage | undefined {
  let facts: unknown
  try {
    facts = JSON.parse(line)
  } catch {
    return undefined // a file that somebody else put here is the same as none
  }
  return isStoredImage(facts) ? facts : undefined
}

function isStoredImage(facts: unknown): facts is StoredImage {
  if (typeof facts !== 'object' || facts === null) return false
  const { imageUUID, account, format, byteLength, expiresAt } = facts as Partial<Record<keyof StoredImage, unknown>>
  return typeof imageUUID === 'string' && typeof account === 'string'
    && (format === 'JPG' || format === 'PNG' || format === 'WEBP')
    && typeof byteLength === 'number' && typeof expiresAt === 'number'
}

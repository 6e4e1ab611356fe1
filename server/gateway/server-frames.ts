/** One frame that a server sends: a whole message, or a ping. */
export interface ServerFrame {
  readonly type: 'text' | 'ping'
  /** At most 125 bytes of a ping. */
  readonly payload: string
}

/** First byte of a frame: the last of its message, and what it is (RFC 6455, 5.2). */
const firstBytes = { text: 0x81, ping: 0x89 } as const

const maxShortLength = 125
const maxMediumLength = 0xffff
const mediumMark = 126
const longMark = 127

/**
 * Lays frames one behind the other in one piece of memory, as they go over the wire: unmasked, for they come from a server.
 * ws makes two buffers and two writes of each frame, which for results of a few hundred bytes costs more than making the results.
 */
export function encodeServerFrames(frames: readonly ServerFrame[]): Buffer {
  let room = 0
  for (const { payload } of frames) room += framedLength(Buffer.byteLength(payload))
  const bytes = Buffer.allocUnsafe(room)
  let at = 0
  for (const { type, payload } of frames) {
    const length = Buffer.byteLength(payload)
    at = writeHead(bytes, at, firstBytes[type], length)
    at += bytes.write(payload, at, length)
  }
  return bytes
}

function framedLength(length: number): number {
  return length + (length <= maxShortLength ? 2 : length <= maxMediumLength ? 4 : 10)
}

function writeHead(bytes: Buffer, at: number, firstByte: number, length: number): number {
  bytes[at] = firstByte
  if (length <= maxShortLength) {
    bytes[at + 1] = length
    return at + 2
  }
  if (length <= maxMediumLength) {
    bytes[at + 1] = mediumMark
    return bytes.writeUInt16BE(length, at + 2)
  }
  bytes[at + 1] = longMark
  return bytes.writeBigUInt64BE(BigInt(length), at + 2)
}

import { createHash, hash } from 'node:crypto'
import type { TaskKey } from '../queue/task-record.ts'

/** The imageUUID of a task's result, by its place. */
export type ImageUuids = (key: TaskKey, index: number) => string

const blockLength = 64
/** A task's name is far shorter; a longer one gets memory of its own. */
const messageLength = 1024

/**
 * Makes the imageUUIDs of tasks: the same whenever a task is computed, so that a repeated delivery can be told
 * from a second picture, and unguessable without the server's secret. They have the shape of a v4 UUID.
 *
 * It is HMAC-SHA256 (RFC 2104) in two calls of the plain hash on memory that is made once: Node's `createHmac` makes
 * three objects for each of them and takes three times as long.
 */
export function createImageUuids(secret: Uint8Array): ImageUuids {
  const inner = Buffer.alloc(blockLength + messageLength)
  const outer = Buffer.alloc(blockLength + 32)
  const key = secret.length > blockLength ? createHash('sha256').update(secret).digest() : secret
  for (let place = 0; place < blockLength; place++) {
    const byte = key[place] ?? 0
    inner[place] = byte ^ 0x36
    outer[place] = byte ^ 0x5c
  }
  return ({ account, taskUUID }, index) => {
    const message = `${account}|${taskUUID}|${index}`
    outer.write(hash('sha256', prefixed(inner, message), 'binary'), blockLength, 'binary')
    return shapeOfUuid(hash('sha256', outer, 'hex'))
  }
}

function prefixed(memory: Buffer, message: string): Buffer {
  const length = Buffer.byteLength(message)
  if (length > messageLength) return Buffer.concat([memory.subarray(0, blockLength), Buffer.from(message)])
  memory.write(message, blockLength)
  return memory.subarray(0, blockLength + length)
}

/** The first 16 bytes as a UUID of version 4 and the variant of RFC 9562. */
function shapeOfUuid(hex: string): string {
  const variant = (Number.parseInt(hex.charAt(16), 16) & 0x3 | 0x8).toString(16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

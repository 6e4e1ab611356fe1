import { createHmac } from 'node:crypto'
import { v4 as uuidV4 } from 'uuid'
import type { TaskKey } from '../queue/task-record.ts'

/**
 * The imageUUID of a task's result: the same whenever the task is computed, so that a repeated delivery can be told
 * from a second picture, and unguessable without the server's secret. It has the shape of a v4 UUID.
 */
export function imageUuidOf(secret: Uint8Array, { account, taskUUID }: TaskKey, index: number): string {
  const digest = createHmac('sha256', secret).update(`${account}|${taskUUID}|${index}`).digest()
  return uuidV4({ random: digest.subarray(0, 16) })
}

import type { Lease, TaskClaimer } from '../../server/queue/contract.ts'

/** As much as a real worker may have under way. */
const room = 1000
/** About what a JPEG of 512x512 takes. */
const byteLength = 60_000

/** Takes tasks as they come and says at once that they are done; there is no picture behind the results. */
export async function runInstantWorker(queue: TaskClaimer): Promise<never> {
  const { signal } = new AbortController()
  for (;;) {
    for (const lease of await queue.claim('instant', room, signal)) await finish(queue, lease)
  }
}

async function finish(queue: TaskClaimer, lease: Lease): Promise<void> {
  const { results, output: { format } } = lease.record
  for (const { index, imageUUID, seed } of results) await queue.commit(lease, { index, imageUUID, seed, byteLength, format })
  await queue.settle(lease)
}

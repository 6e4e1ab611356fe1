import type { Log } from './log.ts'
import type { TaskEvents } from './queue/contract.ts'
import { TaskStatus } from './queue/task-record.ts'

/** Writes one line for the end of every task. Returns the function that ends it. */
export function logTaskEnds(queue: TaskEvents, log: Log, now: () => number): () => void {
  return queue.subscribe(event => {
    if (event.type !== 'ended') return
    const { record, status, results, error } = event.snapshot
    const { model, width, height, totalSteps, noiseScheduler } = record.request
    const write = status === TaskStatus.failed ? log.warn : log.info
    write('taskEnded', {
      taskUUID: record.taskUUID,
      taskType: record.taskType,
      account: record.key.account,
      status,
      model, width, height, totalSteps, noiseScheduler,
      results: results.length,
      durationMs: now() - record.acceptedAt,
      ...(error && { code: error.code }),
    })
  })
}

import { randomUUID } from 'node:crypto'
import type { CommittedResult, TaskRecord } from '../../../server/queue/task-record.ts'

/** What a test may choose of a task. */
export interface TaskChoices {
  readonly account?: string
  readonly results?: number
  readonly delivery?: TaskRecord['delivery']
  readonly steps?: number
  readonly prompt?: string
  readonly sessionUUID?: string
  readonly model?: string
}

/** A task as a gateway would submit it. */
export function makeTask({ account = 'a', results = 1, delivery = 'sync', steps = 2, prompt = 'a cup', sessionUUID, model = 'test:tiny@1' }: TaskChoices = {}): TaskRecord {
  const taskUUID = randomUUID()
  return {
    key: { account, taskUUID },
    taskUUID,
    taskType: 'imageInference',
    ...(sessionUUID && { sessionUUID }),
    delivery,
    request: {
      model, prompt, negativePrompt: '', width: 64, height: 64, totalSteps: steps,
      noiseScheduler: 'Default', guidanceScale: 1, clipSkip: 0,
    },
    results: Array.from({ length: results }, (_, index) => ({ index, seed: 7 + index, imageUUID: randomUUID() })),
    output: { types: ['URL'], format: 'PNG', quality: 95 },
    baseUrl: 'http://127.0.0.1:1',
    acceptedAt: 0,
  }
}

/** The commit of one of a task's results. */
export function resultOf(record: TaskRecord, index = 0): CommittedResult {
  const planned = record.results[index]
  if (!planned) throw new Error(`The task has no result ${index}`)
  return { ...planned, byteLength: 100, format: 'PNG' }
}

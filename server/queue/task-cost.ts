import type { TaskRecord } from './task-record.ts'

/** What a task asks of a device: pixels times network rows times steps times results. Only its ratio to other tasks matters. */
export function taskCost(record: TaskRecord): number {
  const { width, height, totalSteps, guidanceScale } = record.request
  const rows = guidanceScale > 1 ? 2 : 1
  return width * height * totalSteps * rows * record.results.length
}

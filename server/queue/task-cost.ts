import type { TaskRecord } from './task-record.ts'

/** A ControlNet's share of the network that it steers: the way down and the middle of one. */
const controlNetShare = 0.4

/** What a task asks of a device: pixels times network rows times steps times results. Only its ratio to other tasks matters. */
export function taskCost(record: TaskRecord): number {
  const { width, height, totalSteps, guidanceScale, controlNets = [] } = record.request
  const rows = (guidanceScale > 1 ? 2 : 1) * (1 + controlNetShare * controlNets.length)
  return width * height * totalSteps * rows * record.results.length
}

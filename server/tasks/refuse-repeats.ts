import type { ParsedElement } from '../../protocol/index.ts'
import { conflict } from './task-errors.ts'

/** Refuses a task whose taskUUID an earlier task of the same frame has; upper and lower case are the same. */
export function refuseRepeats(elements: readonly ParsedElement[]): readonly ParsedElement[] {
  if (elements.length === 1) return elements
  const seen = new Set<string>()
  return elements.map(element => {
    if (element.type === 'error' || element.task.type !== 'imageInference') return element
    const { taskType, request: { taskUUID } } = element.task
    const id = taskUUID.toLowerCase()
    if (seen.has(id)) return { type: 'error', error: conflict({ taskType, taskUUID }) }
    seen.add(id)
    return element
  })
}

import { parseFrame } from './parse-frame.ts'

/**
 * Finds the key of an authentication element that stands in front, in the beginning of a text whose rest is not there yet.
 * What is cut short or anything else has none.
 */
export function findApiKey(start: string): string | undefined {
  const first = /^\s*\[\s*(\{(?:[^"{}]|"(?:[^"\\]|\\.)*")*\})/.exec(start)?.[1]
  if (first === undefined) return undefined
  const [element] = parseFrame(`[${first}]`, { maxTasksPerFrame: 1 })
  return element?.type === 'task' && element.task.type === 'authentication' ? element.task.request.apiKey : undefined
}

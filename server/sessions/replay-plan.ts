import { isInline, taskOf } from './outbox-item.ts'
import type { OutboxEntry } from './outbox-item.ts'

/**
 * Orders what a resumed session still owes, as frames.
 *
 * Official clients count the items of a task without looking for duplicates, so a task's results go out as one frame
 * with the never-written ones first: whoever stops at the number he asked for has then seen every distinct picture.
 * Inline pictures keep a frame each. An acknowledgement goes before its results and an error after them, both alone.
 */
export function planReplay(entries: readonly OutboxEntry[]): readonly (readonly OutboxEntry[])[] {
  return groupByTask(entries).flatMap(planTask)
}

function groupByTask(entries: readonly OutboxEntry[]): readonly (readonly OutboxEntry[])[] {
  const groups = new Map<unknown, OutboxEntry[]>()
  for (const entry of entries) {
    const task = taskOf(entry.item) ?? entry
    const group = groups.get(task)
    if (group) group.push(entry)
    else groups.set(task, [entry])
  }
  return [...groups.values()]
}

function planTask(entries: readonly OutboxEntry[]): readonly (readonly OutboxEntry[])[] {
  const acknowledgements = entries.filter(({ item }) => item.type === 'acknowledgement')
  const errors = entries.filter(({ item }) => item.type === 'error')
  const results = entries.filter(({ item }) => item.type === 'results')
  const unseenFirst = [...results.filter(({ wasWritten }) => !wasWritten), ...results.filter(({ wasWritten }) => wasWritten)]
  const alone = (entry: OutboxEntry): readonly OutboxEntry[] => [entry]
  const inline = unseenFirst.filter(travelsInline).map(alone)
  const byUrl = unseenFirst.filter(entry => !travelsInline(entry))
  return [...acknowledgements.map(alone), ...inline, ...(byUrl.length > 0 ? [byUrl] : []), ...errors.map(alone)]
}

function travelsInline({ item, byUrl }: OutboxEntry): boolean {
  return !byUrl && item.type === 'results' && isInline(item.record)
}

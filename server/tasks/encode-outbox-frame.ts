import { encodeData, encodeErrors } from '../../protocol/index.ts'
import type { Acknowledgement, ErrorItem, ImageResult } from '../../protocol/index.ts'
import type { EncodeFrame } from '../sessions/attachment.ts'
import { isInline } from '../sessions/outbox-item.ts'
import type { OutboxEntry } from '../sessions/outbox-item.ts'
import type { ImageStore } from '../storage/image-store.ts'
import { buildAcknowledgement, buildResultItem, buildUrlItem, unreadable } from './result-item.ts'

/** Makes the text of frames that sessions owe; of most of them at once. Never rejects: a picture that cannot be read becomes its task's error. */
export function createFrameEncoder(images: ImageStore): EncodeFrame {
  return ({ entries }) => {
    const [first] = entries
    if (first?.item.type === 'error' && !first.wasWritten) return encodeErrors([first.item.error])
    return entries.some(needsStore) ? encodeInline(entries, images) : encodeData(entries.flatMap(buildItems))
  }
}

function needsStore({ item, byUrl }: OutboxEntry): boolean {
  return item.type === 'results' && !byUrl && isInline(item.record)
}

async function encodeInline(entries: readonly OutboxEntry[], images: ImageStore): Promise<string> {
  try {
    return encodeData((await Promise.all(entries.map(async entry => {
      const { item } = entry
      if (item.type !== 'results' || !needsStore(entry)) return buildItems(entry)
      return await Promise.all(item.results.map(result => buildResultItem(item.record, result, images)))
    }))).flat())
  } catch (error) {
    const record = entries.flatMap(({ item }) => item.type === 'error' ? [] : [item.record])[0]
    if (!record) throw error
    return encodeErrors([unreadable(record, error)])
  }
}

/**
 * An error that its client may have seen comes again as a data item: as `errors` it would fail every other call of
 * the clients that do not wait for it any more.
 */
function buildItems({ item }: OutboxEntry): readonly (Acknowledgement | ErrorItem | ImageResult)[] {
  if (item.type === 'acknowledgement') return [buildAcknowledgement(item.record)]
  if (item.type === 'results') return item.results.map(result => buildUrlItem(item.record, result))
  const { taskType = '', taskUUID = '' } = item.error
  return [{ taskType, taskUUID, status: 'error', error: item.error }]
}

import { encodeData, encodeErrors } from '../../protocol/index.ts'
import type { Acknowledgement, ErrorItem, ImageResult } from '../../protocol/index.ts'
import type { OutboxEntry, OutboxFrame } from '../sessions/outbox-item.ts'
import type { ImageStore } from '../storage/image-store.ts'
import { buildAcknowledgement, buildResultItem, unreadable } from './result-item.ts'

/** Makes the text of frames that sessions owe. Never rejects: a picture that cannot be read becomes its task's error. */
export function createFrameEncoder(images: ImageStore): (frame: OutboxFrame) => Promise<string> {
  return async ({ entries }) => {
    const [first] = entries
    if (first?.item.type === 'error' && !first.wasWritten) return encodeErrors([first.item.error])
    try {
      return encodeData((await Promise.all(entries.map(entry => buildItems(entry, images)))).flat())
    } catch (error) {
      const record = entries.flatMap(({ item }) => item.type === 'error' ? [] : [item.record])[0]
      if (!record) throw error
      return encodeErrors([unreadable(record, error)])
    }
  }
}

/**
 * An error that its client may have seen comes again as a data item: as `errors` it would fail every other call of
 * the clients that do not wait for it any more.
 */
async function buildItems({ item, byUrl }: OutboxEntry, images: ImageStore): Promise<readonly (Acknowledgement | ErrorItem | ImageResult)[]> {
  if (item.type === 'acknowledgement') return [buildAcknowledgement(item.record)]
  if (item.type === 'error') {
    const { taskType = '', taskUUID = '' } = item.error
    return [{ taskType, taskUUID, status: 'error', error: item.error }]
  }
  const { record, results } = item
  return Promise.all(results.map(result => buildResultItem(record, result, images, byUrl ? ['URL'] : record.output.types)))
}

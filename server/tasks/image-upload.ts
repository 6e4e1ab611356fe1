import type { ErrorBody, ImageUploadResult, TaskOf } from '../../protocol/index.ts'
import type { AccountSlots } from '../account-slots.ts'
import type { FetchImage } from '../outbound/fetch-image.ts'
import type { StoredImage } from '../storage/image-store.ts'
import { InputImageError, InputImageFault } from '../storage/input-image-error.ts'
import type { InputImages } from '../storage/input-images.ts'
import { imageError } from './image-errors.ts'
import { readImageInput } from './image-input.ts'
import type { TaskOrigin } from './image-inference.ts'
import { imageUrlOf } from './result-item.ts'
import { cancelled } from './task-errors.ts'

/** What keeping an uploaded picture takes. */
export interface UploadOptions {
  readonly inputs: InputImages
  readonly fetchImage: FetchImage
  /** Places for URLs that are fetched at once. */
  readonly slots: AccountSlots
}

/** The answer to an upload. */
export type UploadAnswer =
  | { readonly type: 'data'; readonly items: readonly ImageUploadResult[] }
  | { readonly type: 'error'; readonly error: ErrorBody }

/** Keeps a picture and tells its UUID and URL, or why it was not kept. Aborting ends a fetch. */
export async function keepUpload(task: TaskOf<'imageUpload'>, origin: TaskOrigin, options: UploadOptions, signal: AbortSignal): Promise<UploadAnswer> {
  const { taskType, request: { taskUUID } } = task
  try {
    const image = await keep(task, origin, options, signal)
    return { type: 'data', items: [{ taskType, taskUUID, imageUUID: image.imageUUID, imageURL: imageUrlOf(origin.baseUrl, image) }] }
  } catch (error) {
    if (signal.aborted) return { type: 'error', error: cancelled({ taskType, taskUUID }) }
    if (!(error instanceof InputImageError)) throw error
    return { type: 'error', error: imageError(error, { parameter: 'image', code: 'invalidImage' }, { taskType, taskUUID }) }
  }
}

async function keep(task: TaskOf<'imageUpload'>, { account, baseUrl }: TaskOrigin, options: UploadOptions, signal: AbortSignal): Promise<StoredImage> {
  const { inputs, fetchImage, slots } = options
  const { image, ttl } = task.request
  const input = readImageInput(image, baseUrl)
  switch (input?.type) {
    case 'inline':
      return inputs.keepUpload(account, input.text, input.start, ttl)
    case 'url':
      return inputs.keepFile(account, await slots.use(account, () => fetchImage(input.url, signal)), ttl)
    case 'stored':
      throw new InputImageError(InputImageFault.invalid, 'this server has the picture already; name it by its UUID')
    case undefined:
      throw new InputImageError(InputImageFault.invalid, 'expected a URL, a data URI or base64')
    default:
      throw new Error(`Unknown input ${JSON.stringify(input satisfies never)}`)
  }
}

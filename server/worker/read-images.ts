import { listImages, mapImages } from '../../engine/index.ts'
import type { EncodedImage } from '../../engine/index.ts'
import type { FetchImage } from '../outbound/fetch-image.ts'
import type { ImageReference, TaskRecord, TaskRequest } from '../queue/task-record.ts'
import type { ImageStore } from '../storage/image-store.ts'
import { InputImageError, InputImageFault } from '../storage/input-image-error.ts'

/** Where pictures come from. */
export interface ImageSources {
  readonly store: Pick<ImageStore, 'read'>
  readonly fetchImage: FetchImage
}

/**
 * Gets the files of all pictures that a task names, each once however many fields name it.
 * @throws InputImageError that names the field.
 */
export async function readImages({ key, request }: TaskRecord, sources: ImageSources, signal: AbortSignal): Promise<TaskRequest<EncodedImage>> {
  const files = new Map<string, Promise<EncodedImage>>()
  return mapImages(request, async (reference: ImageReference, parameter) => {
    const id = JSON.stringify(reference)
    const file = files.get(id) ?? read(reference, key.account, sources, signal)
    files.set(id, file)
    try {
      return await file
    } catch (error) {
      throw error instanceof InputImageError ? error.about(parameter) : error
    }
  })
}

/** Whether a picture of the task comes from another machine. */
export function namesUrl({ request }: TaskRecord): boolean {
  return listImages(request).some(({ type }) => type === 'url')
}

function read(reference: ImageReference, account: string, { store, fetchImage }: ImageSources, signal: AbortSignal): Promise<EncodedImage> {
  return reference.type === 'url' ? fetchImage(reference.url, signal) : readStored(reference.imageUUID, account, store)
}

/** Another account's picture answers like one that never was. */
async function readStored(imageUUID: string, account: string, store: Pick<ImageStore, 'read'>): Promise<EncodedImage> {
  let found: Awaited<ReturnType<ImageStore['read']>>
  try {
    found = await store.read(imageUUID)
  } catch (cause) {
    throw new InputImageError(InputImageFault.unreachable, 'the image store cannot be read at the moment', { cause })
  }
  if (found?.image.account === account) return found.bytes
  throw new InputImageError(InputImageFault.notFound, `this account has no picture ${imageUUID}, or it has expired`)
}

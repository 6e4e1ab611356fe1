import { listImages, mapImages } from '../../engine/index.ts'
import type { ErrorBody } from '../../protocol/index.ts'
import type { ImageReference, TaskRecord } from '../queue/task-record.ts'
import { InputImageError } from '../storage/input-image-error.ts'
import type { InputImages } from '../storage/input-images.ts'
import { imageError } from './image-errors.ts'
import type { ImageInput } from './image-input.ts'
import { wireParameterOf } from './wire-parameters.ts'

/** A task whose pictures are references, or why one of them was not kept. */
export type Kept =
  | { readonly type: 'kept'; readonly record: TaskRecord }
  | { readonly type: 'refused'; readonly error: ErrorBody }

/** True for a task without pictures that would have to be stored: it is what a queue takes already. */
export function isKept(task: TaskRecord<ImageInput>): task is TaskRecord {
  return listImages(task.request).every(({ type }) => type !== 'inline')
}

/** Stores the pictures that came inside a task, so that what is queued stays small. */
export async function keepInputs(task: TaskRecord<ImageInput>, images: InputImages): Promise<Kept> {
  let field = ''
  try {
    const request = await mapImages(task.request, async (input: ImageInput, parameter): Promise<ImageReference> => {
      if (input.type !== 'inline') return input
      field = parameter
      const { imageUUID } = await images.keepInline(task.key.account, input.text, input.start)
      return { type: 'stored', imageUUID }
    })
    return { type: 'kept', record: { ...task, request } }
  } catch (error) {
    const parameter = wireParameterOf(field)
    if (!(error instanceof InputImageError) || !parameter) throw error
    return { type: 'refused', error: imageError(error, parameter, task) }
  }
}

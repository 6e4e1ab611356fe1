import type { ImageInferenceRequest } from '../../protocol/index.ts'
import type { TaskRequest } from '../queue/task-record.ts'
import { expectedImage, readImageInput } from './image-input.ts'
import type { ImageInput } from './image-input.ts'
import type { Refusal } from './refusal.ts'
import { isRefusal } from './refusal.ts'

/** What a task begins with, in the engine's words. */
export type ImagePlan = Pick<TaskRequest<ImageInput>, 'initImage' | 'strength' | 'mask' | 'maskMargin' | 'outpainting'>

/** Where the request says nothing; what is painted around a picture has nothing to keep. */
const defaultStrength = 0.8
const outpaintStrength = 1

/** Plans image to image, inpainting or outpainting; undefined for text to image. */
export function planImages(task: ImageInferenceRequest, baseUrl: string): ImagePlan | Refusal | undefined {
  const seedImage = oneOf('seedImage', task.seedImage, 'inputs.seedImage', task.inputs?.seedImage)
  const maskImage = oneOf('maskImage', task.maskImage, 'inputs.maskImage', task.inputs?.maskImage)
  const outpaint = oneOf('outpaint', outpaintOf(task.outpaint), 'outpainting', outpaintOf(task.outpainting))
  for (const found of [seedImage, maskImage, outpaint]) if (typeof found === 'object' && isRefusal(found)) return found
  const given = { seedImage, maskImage, outpaint } as Given
  const refusal = refuseCombination(task, given)
  if (refusal) return refusal
  if (given.seedImage === undefined) return undefined
  const initImage = readImage('seedImage', given.seedImage, baseUrl)
  if (isRefusal(initImage)) return initImage
  const mask = given.maskImage === undefined ? undefined : readImage('maskImage', given.maskImage, baseUrl)
  if (mask && isRefusal(mask)) return mask
  return {
    initImage,
    strength: task.strength ?? (given.outpaint ? outpaintStrength : defaultStrength),
    ...(mask && { mask }),
    ...(task.maskMargin !== undefined && { maskMargin: task.maskMargin }),
    ...(given.outpaint && { outpainting: given.outpaint }),
  }
}

type Outpaint = NonNullable<ImageInferenceRequest['outpaint']>

interface Given {
  readonly seedImage: string | undefined
  readonly maskImage: string | undefined
  readonly outpaint: Outpaint | undefined
}

/** An object of zeros asks for nothing. */
function outpaintOf(outpaint: Outpaint | undefined): Outpaint | undefined {
  return outpaint && Object.values(outpaint).some(pixels => pixels > 0) ? outpaint : undefined
}

function oneOf<T>(name: string, value: T | undefined, otherName: string, other: T | undefined): T | undefined | Refusal {
  if (value === undefined || other === undefined) return value ?? other
  return { code: 'incompatibleParameters', parameter: name, value: otherName }
}

/** What needs a picture, what needs a mask, and what excludes each other. */
function refuseCombination({ strength, maskMargin, width, height }: ImageInferenceRequest, { seedImage, maskImage, outpaint }: Given): Refusal | undefined {
  const about = { type: 'string', expected: expectedImage }
  if (seedImage === undefined) {
    // Clients that always send a strength send 0 where they mean none.
    const needs = outpaint ? 'outpaint' : maskImage !== undefined ? 'maskImage' : strength ? 'strength' : maskMargin !== undefined ? 'maskMargin' : undefined
    return needs === undefined ? undefined : { code: 'missingSeedImage', parameter: 'seedImage', ...about, value: needs }
  }
  if (outpaint && maskImage !== undefined) return { code: 'incompatibleParameters', parameter: 'maskImage', value: 'outpaint' }
  if (outpaint && maskMargin !== undefined) return { code: 'incompatibleParameters', parameter: 'maskMargin', value: 'outpaint' }
  if (maskMargin !== undefined && maskImage === undefined) return { code: 'missingMaskImage', parameter: 'maskImage', ...about, value: 'maskMargin' }
  if (!outpaint) return undefined
  if (outpaint.top + outpaint.right + outpaint.bottom + outpaint.left === 0) {
    return { code: 'invalidOutpaint', parameter: 'outpaint', type: 'object', message: 'outpaint: at least one of top, right, bottom and left must be above 0.' }
  }
  const expected = 'the size of seedImage and the extensions together, which only the task can tell'
  if (width === undefined) return { code: 'missingWidth', parameter: 'width', type: 'integer', expected }
  return height === undefined ? { code: 'missingHeight', parameter: 'height', type: 'integer', expected } : undefined
}

function readImage(parameter: 'seedImage' | 'maskImage', text: string, baseUrl: string): ImageInput | Refusal {
  const code = parameter === 'seedImage' ? 'invalidSeedImage' : 'invalidMaskImage'
  return readImageInput(text, baseUrl) ?? { code, parameter, type: 'string', expected: expectedImage, value: 'another form' }
}

import type { DecodedRequest, EncodedImage, GenerationRequest, Outpainting, RgbImage } from './core/generation-request.ts'
import { mapImages } from './core/map-images.ts'
import { EngineError } from './engine-error.ts'
import { decodeImage, type DecodeOptions } from './images/decode-image.ts'
import { greyMask } from './images/grey-mask.ts'
import { ImageError } from './images/image-error.ts'
import { cropImage, maskRegion } from './images/mask-region.ts'
import { outpaintCanvas } from './images/outpaint-canvas.ts'
import { pasteImage } from './images/paste-image.ts'
import { resizeImage } from './images/resize-image.ts'
import { WorkMemory } from './work-memory.ts'

/** A request for the step loop, and what makes of its picture the one that was asked for. */
export interface FittedRequest {
  readonly request: DecodedRequest
  readonly finish: (image: RgbImage) => RgbImage
}

const asItIs = (image: RgbImage): RgbImage => image

/**
 * Makes the function that turns a request's pictures into what the step loop takes. Everything that is geometry ends here:
 * sizes, canvas, zooming into a mask and pasting back. The results of a task share their files, so whatever is made of a
 * file is made once for as long as somebody holds it. Throws an EngineError that names the field of a picture that cannot be used.
 */
export function createImageFitter(): (request: GenerationRequest) => Promise<FittedRequest> {
  const memory = new WorkMemory()
  return async (request) => {
    const decoded: DecodedRequest = await mapImages(request, (file: EncodedImage, field) => decode(memory, file, field, request))
    const { initImage, mask, outpainting } = decoded
    if (initImage === undefined) return { request: decoded, finish: asItIs }
    if (outpainting !== undefined) return extend(memory, decoded, initImage, outpainting)
    return mask === undefined ? { request: decoded, finish: asItIs } : repaint(memory, decoded, initImage, mask)
  }
}

/** A picture's pixels, stretched to the request's size but for one that is extended and those that an image encoder looks at. */
function decode(memory: WorkMemory, file: EncodedImage, field: string, { width, height, outpainting }: GenerationRequest): Promise<RgbImage> {
  const isMask = field === 'mask'
  // A ControlNet's guide image is of the picture that comes, canvas and all; most are drawn on black.
  const isControl = field.startsWith('controlNets')
  const isStretched = isControl || (!outpainting && isOfTheScene(field))
  const options: DecodeOptions = { background: isMask || isControl ? 'black' : 'white', ...(isStretched && { target: { width, height } }) }
  return memory.once(file, `pixels ${JSON.stringify(options)}`, async () => {
    const image = await named(field, decodeImage(file, options))
    const sized = isStretched ? resizeImage(image, width, height) : image
    return isMask ? greyMask(sized) : sized
  })
}

/** Whether a picture shows what the finished one does, place by place; an IP-Adapter's is only looked at. */
function isOfTheScene(field: string): boolean {
  return !field.startsWith('ipAdapters')
}

async function named(field: string, image: Promise<RgbImage>): Promise<RgbImage> {
  try {
    return await image
  } catch (cause) {
    if (cause instanceof ImageError) throw invalid(field, cause.message, cause)
    throw cause
  }
}

/** Inpainting: the whole picture, or the part around the mask at the request's full size. */
async function repaint(memory: WorkMemory, request: DecodedRequest, initImage: RgbImage, mask: RgbImage): Promise<FittedRequest> {
  const { width, height, maskMargin } = request
  const whole = { left: 0, top: 0, width, height }
  const region = (maskMargin === undefined ? undefined : maskRegion(mask, maskMargin)) ?? whole
  const { width: regionWidth, height: regionHeight } = region
  const zoom = async (image: RgbImage, field: string): Promise<RgbImage> => {
    if (!isOfTheScene(field)) return image
    return memory.once(image, `region ${JSON.stringify(region)}`, async () => resizeImage(cropImage(image, region), width, height))
  }
  return {
    request: region === whole ? request : await mapImages(request, zoom),
    finish: (image) => pasteImage(initImage, resizeImage(image, regionWidth, regionHeight), mask, region),
  }
}

/** Outpainting: inpainting on a canvas of the request's size. */
async function extend(memory: WorkMemory, request: DecodedRequest, initImage: RgbImage, outpainting: Outpainting): Promise<FittedRequest> {
  const { top, right, bottom, left } = outpainting
  checkSum('width', request.width, initImage.width, `${left} left and ${right} right`, left + right)
  checkSum('height', request.height, initImage.height, `${top} above and ${bottom} below`, top + bottom)
  const { canvas, mask } = await memory.once(initImage, `canvas ${JSON.stringify(outpainting)}`, async () => outpaintCanvas(initImage, outpainting))
  const whole = { left: 0, top: 0, width: request.width, height: request.height }
  return { request: { ...request, initImage: canvas, mask }, finish: (image) => pasteImage(canvas, image, mask, whole) }
}

function checkSum(field: 'width' | 'height', got: number, own: number, parts: string, extension: number): void {
  if (own + extension === got) return
  throw invalid(field, `expected ${own + extension}, which is ${own} of the picture, ${parts}, got ${got}`)
}

function invalid(field: string, reason: string, cause?: Error): EngineError {
  return new EngineError('invalidParameter', `${field}: ${reason}`, { parameter: field, ...(cause && { cause }) })
}

import type { DecodedRequest, EncodedImage, GenerationRequest, RgbImage } from './core/generation-request.ts'
import { mapImages } from './core/map-images.ts'
import { EngineError } from './engine-error.ts'
import { decodeImage, type DecodeOptions } from './images/decode-image.ts'
import { ImageError } from './images/image-error.ts'

/**
 * Makes the function that decodes a request's pictures. The pictures of a task share their files, so each file is decoded
 * once for as long as somebody holds it. Throws an EngineError that names the field of a picture that cannot be used.
 */
export function createRequestDecoder(): (request: GenerationRequest) => Promise<DecodedRequest> {
  const decoded = new WeakMap<EncodedImage, Map<string, Promise<RgbImage>>>()
  const decodeOnce = (bytes: EncodedImage, options: DecodeOptions): Promise<RgbImage> => {
    const known = decoded.get(bytes) ?? new Map<string, Promise<RgbImage>>()
    decoded.set(bytes, known)
    const key = JSON.stringify(options)
    const image = known.get(key) ?? decodeImage(bytes, options)
    known.set(key, image)
    return image
  }
  return (request) => mapImages(request, (bytes: EncodedImage, parameter) => named(parameter, decodeOnce(bytes, { background: 'white' })))
}

async function named(parameter: string, image: Promise<RgbImage>): Promise<RgbImage> {
  try {
    return await image
  } catch (cause) {
    if (cause instanceof ImageError) throw new EngineError('invalidParameter', `${parameter}: ${cause.message}`, { parameter, cause })
    throw cause
  }
}

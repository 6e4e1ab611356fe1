import type { RgbImage } from '../core/generation-request.ts'
import { resample } from './resample.ts'

/** A picture stretched to a size, as diffusers stretches the pictures it begins with; itself where it has the size. */
export function resizeImage(image: RgbImage, width: number, height: number): RgbImage {
  if (image.width === width && image.height === height) return image
  const { data } = resample({ ...image, channels: 3 }, width, height, 'lanczos')
  return { width, height, data }
}

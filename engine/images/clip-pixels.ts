import type { RgbImage } from '../core/generation-request.ts'
import type { ClipImageSettings } from '../models/loaded-model.ts'
import { resample } from './resample.ts'

const CHANNELS = 3

/** Float32 [3, height, width], number for number as transformers' CLIPImageProcessor computes it. */
export function clipPixels(picture: RgbImage, settings: ClipImageSettings): Float32Array {
  const { kernel, scale, normalize } = settings
  const { width, height } = resizedSize(picture, settings)
  const resized = resample({ ...picture, channels: CHANNELS }, width, height, kernel)
  const crop = settings.crop ?? { width, height }
  const [left, top] = [Math.floor((width - crop.width) / 2), Math.floor((height - crop.height) / 2)]
  const out = new Float32Array(CHANNELS * crop.height * crop.width)
  let to = 0
  for (let channel = 0; channel < CHANNELS; channel++) {
    const values = Float32Array.from({ length: 256 }, (_, sample) => inputValue(sample, channel, scale, normalize))
    for (let y = top; y < top + crop.height; y++) {
      for (let x = left; x < left + crop.width; x++) {
        const isInside = y >= 0 && y < height && x >= 0 && x < width
        out[to++] = values[isInside ? (resized.data[(y * width + x) * CHANNELS + channel] as number) : 0] as number
      }
    }
  }
  return out
}

function resizedSize({ width, height }: RgbImage, { resize }: ClipImageSettings): { readonly width: number; readonly height: number } {
  if (resize === undefined) return { width, height }
  if (!('shortestEdge' in resize)) return resize
  const { shortestEdge } = resize
  const long = Math.trunc((shortestEdge * Math.max(width, height)) / Math.min(width, height))
  return width <= height ? { width: shortestEdge, height: long } : { width: long, height: shortestEdge }
}

/** Scaled in float64 and rounded, then normalised in float32. */
function inputValue(sample: number, channel: number, scale: number | undefined, normalize: ClipImageSettings['normalize']): number {
  const { fround } = Math
  const scaled = fround(scale === undefined ? sample : sample * scale)
  if (normalize === undefined) return scaled
  const [mean, deviation] = [normalize.mean[channel] as number, normalize.deviation[channel] as number]
  return fround(fround(scaled - fround(mean)) / fround(deviation))
}

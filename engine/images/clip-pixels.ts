import type { RgbImage } from '../core/generation-request.ts'
import { resample } from './resample.ts'
import type { ResampleKernel } from './resample.ts'

/** How a picture becomes the input of a CLIP vision encoder; a step that is absent is left out. */
export interface ClipImageSettings {
  /** Size that the picture's shorter side is brought to, or the whole picture. */
  readonly resize?: { readonly shortestEdge: number } | { readonly width: number; readonly height: number }
  readonly kernel: ResampleKernel
  /** Size of the part in the middle that is kept; what is smaller gets a black border. */
  readonly crop?: { readonly width: number; readonly height: number }
  /** Factor for each sample. */
  readonly scale?: number
  /** By channel. */
  readonly normalize?: { readonly mean: readonly number[]; readonly deviation: readonly number[] }
}

const CHANNELS = 3

/** Settings of the published CLIP models, at another size of the encoder's input. */
export function clipImageSettings(size: number): ClipImageSettings {
  return {
    resize: { shortestEdge: size },
    kernel: 'bicubic',
    crop: { width: size, height: size },
    scale: 1 / 255,
    normalize: { mean: [0.48145466, 0.4578275, 0.40821073], deviation: [0.26862954, 0.26130258, 0.27577711] },
  }
}

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

import { ConfigReader } from '../architectures/config-reader.ts'
import type { JsonObject } from './json-file.ts'
import type { ClipImageSettings } from './loaded-model.ts'

/** Resampling filters by the numbers Pillow gives them. */
const KERNELS: Readonly<Record<number, ClipImageSettings['kernel']>> = { 1: 'lanczos', 3: 'bicubic' }
const CHANNELS = 3

/**
 * How pictures are prepared for a CLIP vision encoder whose input has `size` pixels along each side: as its
 * `preprocessor_config.json` says, with the defaults of transformers. Throws a ConfigError that names the key.
 */
export function clipImageSettings(size: number, config: JsonObject = {}): ClipImageSettings {
  const reader = new ConfigReader('preprocessor_config', config)
  const settings: ClipImageSettings = {
    ...(reader.boolean('do_resize', true) && { resize: resizeOf(reader, config['size'] ?? size) }),
    kernel: kernelOf(reader),
    ...(reader.boolean('do_center_crop', true) && { crop: rectangleOf(reader, 'crop_size', config['crop_size'] ?? size) }),
    ...(reader.boolean('do_rescale', true) && { scale: reader.number('rescale_factor', 1 / 255) }),
    ...(reader.boolean('do_normalize', true) && {
      normalize: {
        mean: numbersOf(reader, config, 'image_mean', [0.48145466, 0.4578275, 0.40821073]),
        deviation: numbersOf(reader, config, 'image_std', [0.26862954, 0.26130258, 0.27577711]),
      },
    }),
  }
  checkResult(reader, settings, size)
  return settings
}

function checkResult(reader: ConfigReader, { crop, resize }: ClipImageSettings, size: number): void {
  const result = crop ?? (resize && 'width' in resize ? resize : undefined)
  if (result?.width === size && result.height === size) return
  throw reader.error(crop ? 'crop_size' : 'size', `must give pictures of ${size}x${size}, which is what its network takes`)
}

function resizeOf(reader: ConfigReader, value: unknown): NonNullable<ClipImageSettings['resize']> {
  if (isSize(value)) return { shortestEdge: value }
  const { shortest_edge: shortestEdge } = (value ?? {}) as { readonly shortest_edge?: unknown }
  return isSize(shortestEdge) ? { shortestEdge } : rectangleOf(reader, 'size', value)
}

function rectangleOf(reader: ConfigReader, key: string, value: unknown): { readonly width: number; readonly height: number } {
  if (isSize(value)) return { width: value, height: value }
  const { width, height } = (value ?? {}) as { readonly width?: unknown; readonly height?: unknown }
  if (isSize(width) && isSize(height)) return { width, height }
  throw reader.error(key, `is not supported as ${JSON.stringify(value)}`)
}

function kernelOf(reader: ConfigReader): ClipImageSettings['kernel'] {
  const number = reader.number('resample', 3)
  const kernel = KERNELS[number]
  if (kernel === undefined) throw reader.error('resample', `is not supported as ${number} (supported: ${Object.keys(KERNELS).join(', ')})`)
  return kernel
}

function numbersOf(reader: ConfigReader, config: JsonObject, key: string, fallback: readonly number[]): readonly number[] {
  const value = config[key] ?? fallback
  const isList = Array.isArray(value) && value.length === CHANNELS && value.every(each => typeof each === 'number' && Number.isFinite(each))
  if (!isList) throw reader.error(key, `must be ${CHANNELS} numbers, not ${JSON.stringify(value)}`)
  return value as readonly number[]
}

/** A number of pixels that no preprocessor exceeds. */
function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0 && (value as number) <= 4096
}

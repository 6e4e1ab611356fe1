import { encodeImage } from '../../engine/index.ts'
import type { MixEntry, TaskFields } from '../measure/request-mix.ts'

const pattern = /^(picture|mask):(\d+)x(\d+)$/

/** A mix in which `picture:WxH` and `mask:WxH` have become pictures, wherever they stand in a task. */
export async function drawMix(mix: readonly MixEntry[]): Promise<readonly MixEntry[]> {
  return await Promise.all(mix.map(async ({ weight, task }) => ({ weight, task: await drawPictures(task) })))
}

/** A task in which the placeholders have become data URIs. */
export async function drawPictures(task: TaskFields): Promise<TaskFields> {
  return await replace(task) as TaskFields
}

async function replace(value: unknown): Promise<unknown> {
  if (typeof value === 'string') {
    const [, kind, width, height] = pattern.exec(value) ?? []
    return kind === undefined ? value : await draw(kind, Number(width), Number(height))
  }
  if (Array.isArray(value)) return await Promise.all(value.map(replace))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(async ([key, inner]) => [key, await replace(inner)] as const)
  return Object.fromEntries(await Promise.all(entries))
}

/** A gradient, or white in the middle of black. */
async function draw(kind: string, width: number, height: number): Promise<string> {
  const data = new Uint8Array(width * height * 3)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const isInside = Math.abs(2 * x - width) < width / 2 && Math.abs(2 * y - height) < height / 2
      const pixel = kind === 'mask' ? (isInside ? [255, 255, 255] : [0, 0, 0]) : [x / width * 255, y / height * 255, 128]
      data.set(pixel, (y * width + x) * 3)
    }
  }
  return `data:image/png;base64,${Buffer.from(await encodeImage({ width, height, data }, 'PNG', 90)).toString('base64')}`
}

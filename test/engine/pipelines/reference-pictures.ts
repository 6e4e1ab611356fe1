// The pictures that diffusers computed on the small models; tools/reference/pictures.py makes them.
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import type { Test } from 'tap'
import type { GenerationRequest, RgbImage } from '../../../engine/core/generation-request.ts'
import { mapImages } from '../../../engine/core/map-images.ts'
import { createEngine } from '../../../engine/create-engine.ts'
import type { Engine, EngineOptions } from '../../../engine/engine.ts'
import type { ModelRegistry } from '../../../engine/models/model-spec.ts'
import { openRegistry } from '../../../engine/models/registry.ts'

/** From the compiled file's folder. */
const reference = fileURLToPath(new URL('../../../../test/reference/', import.meta.url))

/** ±1 of 255 on this share of the pixels: what is left of float32 rounding differently. */
export const shareOfPixels = 0.995

/** A request and what diffusers makes of it. */
export interface ReferencePicture {
  readonly request: GenerationRequest
  readonly image: RgbImage
}

/** The small random-weight models. */
export function referenceRegistry(): Promise<ModelRegistry> {
  return openRegistry([`${reference}models`])
}

/** An engine over the reference models. */
export async function referenceEngine(options: Partial<EngineOptions> = {}): Promise<Engine> {
  const registry = await referenceRegistry()
  return createEngine({ registry, device: { type: 'cpu' }, threads: 1, weightsBudgetBytes: 1e9, maxRows: 8, maxCells: Infinity, ...options })
}

/** Reads the committed requests of a folder and what they must become. */
export async function referencePictures(folder = 'pictures'): Promise<readonly ReferencePicture[]> {
  const { models } = await referenceRegistry()
  const airs = new Map(models.map((model) => [basename(model.path), model.air]))
  type Listed = Omit<GenerationRequest<string>, 'id' | 'owner'>
  const listed = JSON.parse(await readFile(`${reference}${folder}/requests.json`, 'utf8')) as readonly Listed[]
  const opened = new Map<string, Promise<Uint8Array>>()
  const fileOf = (path: string): Promise<Uint8Array> => {
    const file = opened.get(path) ?? readFile(path)
    opened.set(path, file)
    return file
  }
  return Promise.all(listed.map(async (fields, number) => {
    const id = String(number).padStart(3, '0')
    const { data, info } = await sharp(`${reference}${folder}/${id}.png`).raw().toBuffer({ resolveWithObject: true })
    const airOf = (name: string): string => airs.get(name) ?? name
    const { refiner } = fields
    // Pictures are named by their files, and every request holds the same bytes, as the results of one task do.
    const files = await mapImages(fields, (name: string) => fileOf(`${reference}${folder}/${name}.png`))
    return {
      request: {
        ...files, id, model: airOf(fields.model), owner: `owner ${number % 3}`,
        ...(refiner && { refiner: { ...refiner, model: airOf(refiner.model) } }),
      },
      image: { width: info.width, height: info.height, data: new Uint8Array(data) },
    }
  }))
}

/** What a picture's test is called. */
export function titleOf({ request }: ReferencePicture): string {
  const { id, noiseScheduler, width, height, totalSteps, guidanceScale, clipSkip, seed } = request
  const strength = request.strength === undefined ? '' : `, strength ${request.strength}`
  return `${id}: ${noiseScheduler}, ${width}x${height}, ${totalSteps} steps, guidance ${guidanceScale}, clip skip ${clipSkip}, seed ${seed}${strength}`
}

/** Asserts that a picture is the reference's; `about` says in the title what is special about it. */
export function sameAsReference(t: Test, picture: ReferencePicture, image: RgbImage, about = ''): void {
  const { shareWithinOne, largest } = compare(image, picture.image)
  t.ok(shareWithinOne >= shareOfPixels, `${about}${titleOf(picture)} (${shareWithinOne.toFixed(4)} within 1, largest difference ${largest})`)
}

/** How far two pictures of the same size are apart. */
export function compare(actual: RgbImage, expected: RgbImage): { readonly largest: number; readonly shareWithinOne: number } {
  if (actual.width !== expected.width || actual.height !== expected.height) {
    throw new Error(`expected ${expected.width}x${expected.height}, got ${actual.width}x${actual.height}`)
  }
  let largest = 0
  let pixelsWithinOne = 0
  for (let pixel = 0; pixel < expected.data.length; pixel += 3) {
    let difference = 0
    for (let i = pixel; i < pixel + 3; i++) {
      difference = Math.max(difference, Math.abs((actual.data[i] as number) - (expected.data[i] as number)))
    }
    largest = Math.max(largest, difference)
    if (difference <= 1) pixelsWithinOne += 1
  }
  return { largest, shareWithinOne: pixelsWithinOne / (expected.data.length / 3) }
}

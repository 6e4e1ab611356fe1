import type { IpAdapterUse, RgbImage } from '../core/generation-request.ts'
import { clipPixels } from '../images/clip-pixels.ts'
import type { ImageFeatures, LoadedImagePrompt } from '../models/loaded-model.ts'
import type { Tensor } from '../tensor.ts'
import type { NetworkRunner } from './network-runner.ts'
import { outputData } from './output-data.ts'
import type { ImagePrompt, ImagePromptPart, PreparedRequest } from './pipeline.ts'

const CHANNELS = 3

/** A guide image that has to be encoded for an adapter; without one the adapter's tokens for no picture. */
interface MissingStates {
  readonly part: ImagePromptPart
  readonly image: RgbImage | undefined
  readonly generations: Set<string>
}

/** What an image encoder saw in a picture: a row of its outputs. */
interface SeenImage {
  readonly outputs: Readonly<Record<string, Tensor>>
  readonly row: number
  readonly rows: number
}

/**
 * Turns guide images into the tokens that IP-Adapters look at: each image once for each image encoder, whose adapters share
 * what it sees, and once for each adapter; many in one run.
 */
export class ImagePromptEncoder {
  readonly #runNetwork: NetworkRunner
  /** The pictures of a task share their guide images; what was made of one is kept for as long as somebody holds it. */
  readonly #states = new WeakMap<LoadedImagePrompt, WeakMap<object, Float32Array>>()

  constructor(runNetwork: NetworkRunner) {
    this.#runNetwork = runNetwork
  }

  /** The image prompts of each request, in the order of its adapters; at most `maxRows` images in one run. */
  async encode(requests: readonly PreparedRequest[], maxRows: number): Promise<readonly (readonly ImagePrompt[])[]> {
    const missing = this.#findMissing(requests)
    for (const ofEncoder of groupBy(missing, ({ part }) => part.encoder)) {
      const seen = await this.#see(ofEncoder, maxRows)
      for (const ofAdapter of groupBy(ofEncoder, ({ part }) => part.adapter)) {
        for (let from = 0; from < ofAdapter.length; from += maxRows) await this.#project(ofAdapter.slice(from, from + maxRows), seen)
      }
    }
    return requests.map((prepared) => imageUses(prepared).map(({ part: { adapter }, guideImage }): ImagePrompt => {
      const known = this.#known(adapter)
      return { states: known.get(guideImage) as Float32Array, absentStates: known.get(adapter) as Float32Array }
    }))
  }

  /** What is not known yet, each once. */
  #findMissing(requests: readonly PreparedRequest[]): readonly MissingStates[] {
    const missing = new Map<LoadedImagePrompt, Map<object, MissingStates>>()
    for (const prepared of requests) {
      for (const { part, guideImage } of imageUses(prepared)) {
        const wanted = missing.get(part.adapter) ?? new Map<object, MissingStates>()
        missing.set(part.adapter, wanted)
        for (const image of [guideImage, undefined]) {
          const key = image ?? part.adapter
          if (this.#known(part.adapter).has(key)) continue
          const entry = wanted.get(key) ?? { part, image, generations: new Set() }
          entry.generations.add(prepared.request.id)
          wanted.set(key, entry)
        }
      }
    }
    return [...missing.values()].flatMap((wanted) => [...wanted.values()])
  }

  /** What the encoder sees in each image, by the image; in no picture, where an adapter asks for that, by undefined. */
  async #see(missing: readonly MissingStates[], maxRows: number): Promise<ReadonlyMap<RgbImage | undefined, SeenImage>> {
    const { imageSize, settings, session } = (missing[0] as MissingStates).part.encoder
    const seen = new Map<RgbImage | undefined, SeenImage>()
    const images = [...new Set(missing.filter(needsEncoder).map(({ image }) => image))]
    const length = CHANNELS * imageSize ** 2
    for (let from = 0; from < images.length; from += maxRows) {
      const some = images.slice(from, from + maxRows)
      const rows = some.length
      const data = new Float32Array(rows * length)
      some.forEach((image, row) => image && data.set(clipPixels(image, settings), row * length))
      const feeds = { pixel_values: { dtype: 'float32', dims: [rows, CHANNELS, imageSize, imageSize], data } } as const
      const generations = [...new Set(missing.filter(({ image }) => some.includes(image)).flatMap((each) => [...each.generations]))]
      const outputs = await this.#runNetwork(session, feeds, { stage: 'encodePrompt', rows, generations })
      some.forEach((image, row) => seen.set(image, { outputs, row, rows }))
    }
    return seen
  }

  async #project(missing: readonly MissingStates[], seen: ReadonlyMap<RgbImage | undefined, SeenImage>): Promise<void> {
    const { adapter } = (missing[0] as MissingStates).part
    const { features, session, tokens, width } = adapter
    const rows = missing.length
    const length = features.tokens * features.width
    const data = new Float32Array(rows * length)
    for (const [row, each] of missing.entries()) if (needsEncoder(each)) data.set(featuresOf(seen.get(each.image) as SeenImage, features), row * length)
    const feeds = { image_features: { dtype: 'float32', dims: [rows, features.tokens, features.width], data } } as const
    const generations = [...new Set(missing.flatMap((each) => [...each.generations]))]
    const outputs = await this.#runNetwork(session, feeds, { stage: 'encodePrompt', rows, generations })
    const size = tokens * width
    const states = outputData(outputs, 'image_states', 'float32', rows * size)
    missing.forEach(({ image }, row) => this.#known(adapter).set(image ?? adapter, states.slice(row * size, (row + 1) * size)))
  }

  #known(adapter: LoadedImagePrompt): WeakMap<object, Float32Array> {
    const known = this.#states.get(adapter) ?? new WeakMap<object, Float32Array>()
    this.#states.set(adapter, known)
    return known
  }
}

/** For no picture the reference takes a vector of zeros where an adapter takes one, and a picture of zeros where it takes the states of patches. */
function needsEncoder({ image, part: { adapter } }: MissingStates): boolean {
  return image !== undefined || adapter.features.output === 'image_patches'
}

function featuresOf({ outputs, row, rows }: SeenImage, { output, tokens, width }: ImageFeatures): Float32Array {
  const length = tokens * width
  return outputData(outputs, output, 'float32', rows * length).subarray(row * length, (row + 1) * length)
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => unknown): readonly (readonly T[])[] {
  const groups = new Map<unknown, T[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group) group.push(item)
    else groups.set(key, [item])
  }
  return [...groups.values()]
}

/** The adapters that a request uses now; none with a refiner that has taken it over. */
function imageUses({ request, parts }: PreparedRequest): readonly { readonly part: ImagePromptPart; readonly guideImage: RgbImage }[] {
  return (parts.imagePrompts ?? []).map((part, place) => ({ part, guideImage: (request.ipAdapters?.[place] as IpAdapterUse<RgbImage>).guideImage }))
}

import type { IpAdapterUse, RgbImage } from '../core/generation-request.ts'
import { clipPixels } from '../images/clip-pixels.ts'
import type { LoadedImagePrompt } from '../models/loaded-model.ts'
import type { NetworkRunner } from './network-runner.ts'
import { outputData } from './output-data.ts'
import type { ImagePrompt, PreparedRequest } from './pipeline.ts'

const CHANNELS = 3

/** A guide image that has to be encoded for an adapter; without one the adapter's tokens for no picture. */
interface MissingStates {
  readonly adapter: LoadedImagePrompt
  readonly image?: RgbImage
  readonly generations: Set<string>
}

/** Turns guide images into the tokens that IP-Adapters look at: each image once for each adapter, many in one run. */
export class ImagePromptEncoder {
  readonly #runNetwork: NetworkRunner
  /** The pictures of a task share their guide images; what was made of one is kept for as long as somebody holds it. */
  readonly #states = new WeakMap<LoadedImagePrompt, WeakMap<object, Float32Array>>()

  constructor(runNetwork: NetworkRunner) {
    this.#runNetwork = runNetwork
  }

  /** The image prompts of each request, in the order of its adapters; at most `maxRows` images in one run. */
  async encode(requests: readonly PreparedRequest[], maxRows: number): Promise<readonly (readonly ImagePrompt[])[]> {
    for (const missing of this.#findMissing(requests)) {
      for (let from = 0; from < missing.length; from += maxRows) await this.#encode(missing.slice(from, from + maxRows))
    }
    return requests.map((prepared) => imageUses(prepared).map(({ adapter, guideImage }): ImagePrompt => {
      const known = this.#known(adapter)
      return { states: known.get(guideImage) as Float32Array, absentStates: known.get(adapter) as Float32Array }
    }))
  }

  /** What is not known yet, together for each adapter. */
  #findMissing(requests: readonly PreparedRequest[]): readonly (readonly MissingStates[])[] {
    const missing = new Map<LoadedImagePrompt, Map<object, MissingStates>>()
    for (const prepared of requests) {
      for (const { adapter, guideImage } of imageUses(prepared)) {
        const wanted = missing.get(adapter) ?? new Map<object, MissingStates>()
        missing.set(adapter, wanted)
        for (const image of [guideImage, undefined]) {
          const key = image ?? adapter
          if (this.#known(adapter).has(key)) continue
          const entry = wanted.get(key) ?? { adapter, ...(image && { image }), generations: new Set() }
          entry.generations.add(prepared.request.id)
          wanted.set(key, entry)
        }
      }
    }
    return [...missing.values()].map((wanted) => [...wanted.values()])
  }

  async #encode(missing: readonly MissingStates[]): Promise<void> {
    const { adapter } = missing[0] as MissingStates
    const { imageSize, settings, session, tokens, width } = adapter
    const rows = missing.length
    const length = CHANNELS * imageSize ** 2
    const pixels = new Float32Array(rows * length)
    missing.forEach(({ image }, row) => image && pixels.set(clipPixels(image, settings), row * length))
    const presence = Float32Array.from(missing, ({ image }) => (image ? 1 : 0))
    const feeds = {
      pixel_values: { dtype: 'float32', dims: [rows, CHANNELS, imageSize, imageSize], data: pixels },
      presence: { dtype: 'float32', dims: [rows], data: presence },
    } as const
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

/** The adapters that a request uses now; none with a refiner that has taken it over. */
function imageUses({ request, parts }: PreparedRequest): readonly { readonly adapter: LoadedImagePrompt; readonly guideImage: RgbImage }[] {
  return (parts.imagePrompts ?? []).map((adapter, place) => ({ adapter, guideImage: (request.ipAdapters?.[place] as IpAdapterUse<RgbImage>).guideImage }))
}

import type { DecodedRequest } from '../core/generation-request.ts'
import { EngineError } from '../engine-error.ts'
import type { LoadedModel, LoadedVae } from '../models/loaded-model.ts'
import { checkVae } from './check-vae.ts'
import { FloatPool } from './float-pool.ts'
import { isFiniteArray } from './is-finite-array.ts'
import { isRepainted } from './latent-mask.ts'
import type { NetworkRunner } from './network-runner.ts'
import { outputData } from './output-data.ts'
import { type KnownPicture, PictureMemory } from './picture-memory.ts'
import type { ImageLatents, LatentDistribution, PreparedRequest } from './pipeline.ts'

/** What an image encoder works with. */
export interface ImageEncoderOptions {
  readonly model: LoadedModel
  readonly runNetwork: NetworkRunner
}

/** The pictures of one request. */
interface Pictures {
  readonly initImage?: KnownPicture
  readonly maskedImage?: KnownPicture
}

/** Pictures that a VAE has not seen yet, and the generations that wait for each. */
type Missing = Map<KnownPicture, string[]>

/** Grey levels as the VAE takes them, -1 to 1, in the reference's steps. */
const levels = Float32Array.from({ length: 256 }, (_, value) => 2 * Math.fround(value / 255) - 1)

/** Turns pictures into latents: each distinct picture is encoded once by each VAE, many in one run. */
export class ImageEncoder {
  readonly #options: ImageEncoderOptions
  readonly #pixels = new FloatPool()
  readonly #memories = new WeakMap<LoadedVae, PictureMemory>()

  constructor(options: ImageEncoderOptions) {
    this.#options = options
  }

  /** Whether a request has to wait until a picture of its is encoded. */
  isNeeded({ initImage }: DecodedRequest): boolean {
    return initImage !== undefined || this.#options.model.takesMask
  }

  /**
   * Encodes the pictures of all requests, which are of one size. Throws an EngineError when a VAE gives no numbers, and one
   * that names `vae` when it is not for this model.
   */
  async encode(requests: readonly PreparedRequest[], maxRows: number): Promise<readonly ImageLatents[]> {
    const { model } = this.#options
    const missing = new Map<LoadedVae, Missing>()
    const all = requests.map(({ request, parts: { vae = model.vae } }) => {
      checkVae(model, vae)
      const pictures = this.#picturesOf(request, vae)
      const own = missing.get(vae) ?? new Map<KnownPicture, string[]>()
      missing.set(vae, own)
      for (const picture of Object.values(pictures) as readonly KnownPicture[]) {
        if (picture.latents === undefined) own.set(picture, [...(own.get(picture) ?? []), request.id])
      }
      return pictures
    })
    const { request: size } = requests[0] as PreparedRequest
    for (const [vae, pictures] of missing) {
      const waiting = [...pictures]
      for (let from = 0; from < waiting.length; from += maxRows) await this.#run(vae, waiting.slice(from, from + maxRows), size)
    }
    return all.map(({ initImage, maskedImage }) => ({
      ...(initImage && { initImage: initImage.latents as LatentDistribution }),
      ...(maskedImage && { maskedImage: maskedImage.latents as LatentDistribution }),
    }))
  }

  /** A network that takes the mask starts from noise alone where nothing of the picture is to be left in it. */
  #picturesOf({ width, height, initImage, mask, strength }: DecodedRequest, vae: LoadedVae): Pictures {
    const { takesMask } = this.#options.model
    const memory = this.#memories.get(vae) ?? new PictureMemory()
    this.#memories.set(vae, memory)
    const startsFromImage = initImage !== undefined && !(takesMask && strength === 1)
    return {
      ...(startsFromImage && { initImage: memory.whole(initImage) }),
      ...(takesMask && { maskedImage: initImage && mask ? memory.masked(initImage, mask) : memory.blank(width, height) }),
    }
  }

  async #run(vae: LoadedVae, waiting: readonly (readonly [KnownPicture, readonly string[]])[], { width, height }: DecodedRequest): Promise<void> {
    const { model, runNetwork } = this.#options
    const rows = waiting.length
    const pictureSize = 3 * height * width
    const pixels = this.#pixels.take(rows * pictureSize)
    waiting.forEach(([picture], row) => fillPixels(picture, pixels.subarray(row * pictureSize, (row + 1) * pictureSize)))
    const generations = [...new Set(waiting.flatMap(([, ids]) => ids))]
    const feeds = { pixels: { dtype: 'float32', dims: [rows, 3, height, width], data: pixels } } as const
    const outputs = await runNetwork(vae.encoder, feeds, { stage: 'encodeImage', rows, generations })
    const size = (vae.latentChannels * height * width) / vae.latentFactor ** 2
    const part = (name: 'mean' | 'deviation', row: number) => outputData(outputs, name, 'float32', rows * size).slice(row * size, (row + 1) * size)
    waiting.forEach(([picture], row) => {
      const latents = { mean: part('mean', row), deviation: part('deviation', row) }
      if (!isFiniteArray(latents.mean) || !isFiniteArray(latents.deviation)) {
        throw new EngineError('inferenceError', `a VAE for ${model.spec.air} gives latents that are not finite`)
      }
      picture.latents = latents
    })
  }
}

/** Row-major [3, height, width]. */
function fillPixels({ image, mask }: KnownPicture, out: Float32Array): void {
  if (image === undefined) return void out.fill(0)
  const count = out.length / 3
  for (let pixel = 0; pixel < count; pixel++) {
    const isGone = mask !== undefined && isRepainted(mask, pixel)
    for (let channel = 0; channel < 3; channel++) {
      out[channel * count + pixel] = isGone ? 0 : (levels[image.data[pixel * 3 + channel] as number] as number)
    }
  }
}

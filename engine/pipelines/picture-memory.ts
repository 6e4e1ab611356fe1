import type { RgbImage } from '../core/generation-request.ts'
import type { LatentDistribution } from './pipeline.ts'

/** A picture that a VAE sees, and what it makes of it. */
export interface KnownPicture {
  /** Absent for one of which nothing is left. */
  readonly image?: RgbImage
  /** What is repainted is taken out. */
  readonly mask?: RgbImage
  /** Absent until it is encoded. */
  latents?: LatentDistribution
}

/** Sizes whose empty picture is remembered. */
const maxBlanks = 16

/** Pictures that one VAE has encoded or will; each is remembered for as long as somebody holds it, so that the results of a task share it. */
export class PictureMemory {
  readonly #whole = new WeakMap<RgbImage, KnownPicture>()
  /** By picture, then by mask. */
  readonly #masked = new WeakMap<RgbImage, WeakMap<RgbImage, KnownPicture>>()
  /** By size, the last used at the end. */
  readonly #blank = new Map<string, KnownPicture>()

  whole(image: RgbImage): KnownPicture {
    return remembered(this.#whole, image, () => ({ image }))
  }

  /** The picture without what a mask has repainted. */
  masked(image: RgbImage, mask: RgbImage): KnownPicture {
    const byMask = remembered(this.#masked, image, () => new WeakMap<RgbImage, KnownPicture>())
    return remembered(byMask, mask, () => ({ image, mask }))
  }

  /** The picture of which everything is repainted. */
  blank(width: number, height: number): KnownPicture {
    const size = `${width}x${height}`
    const blank = this.#blank.get(size) ?? {}
    this.#blank.delete(size)
    this.#blank.set(size, blank)
    if (this.#blank.size > maxBlanks) this.#blank.delete(this.#blank.keys().next().value as string)
    return blank
  }
}

function remembered<K extends object, V>(map: WeakMap<K, V>, key: K, make: () => V): V {
  const known = map.get(key) ?? make()
  map.set(key, known)
  return known
}

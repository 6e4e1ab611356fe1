import type { ControlNetUse, RgbImage } from '../core/generation-request.ts'
import type { LoadedControlNet } from '../models/loaded-model.ts'
import type { Tensor } from '../tensor.ts'
import { writeControlScales } from './control-scales.ts'
import { FloatPool } from './float-pool.ts'
import type { UnetRow } from './unet-batch.ts'

const channels = 3

/** The inputs that ControlNets add to UNet runs, in buffers that are filled again for every run. */
export class ControlNetFeeds {
  readonly #guides: Uint8Array[] = []
  readonly #scales: FloatPool[] = []

  /** The rows, whose pictures have one size, as feeds; valid until the next call. */
  fill(rows: readonly UnetRow[], controlNets: readonly LoadedControlNet[]): Readonly<Record<string, Tensor>> {
    const { width, height } = (rows[0] as UnetRow).state.request
    const count = rows.length
    const size = height * width * channels
    const feeds: Record<string, Tensor> = {}
    controlNets.forEach((controlNet, slot) => {
      const { maps } = controlNet
      const guides = this.#takeGuides(slot, count * size)
      const scales = (this.#scales[slot] ??= new FloatPool()).take(count * maps)
      rows.forEach(({ state: { controls, evaluation, run }, isNegative }, row) => {
        const use = controls[slot] as ControlNetUse<RgbImage>
        guides.set(use.guideImage.data, row * size)
        const moment = { evaluation, evaluations: run.timesteps.length, isNegative }
        writeControlScales(use, controlNet, moment, scales.subarray(row * maps, (row + 1) * maps))
      })
      feeds[`control_guide_${slot}`] = { dtype: 'uint8', dims: [count, height, width, channels], data: guides }
      feeds[`control_scale_${slot}`] = { dtype: 'float32', dims: [count, maps], data: scales }
    })
    return feeds
  }

  /** As `FloatPool` does it, for bytes. */
  #takeGuides(slot: number, length: number): Uint8Array {
    const known = this.#guides[slot]
    const buffer = known !== undefined && known.length >= length ? known : new Uint8Array(length)
    this.#guides[slot] = buffer
    return buffer.subarray(0, length)
  }
}

import type { ControlNetUse, RgbImage } from '../core/generation-request.ts'
import type { LoadedControlNet } from '../models/loaded-model.ts'
import type { Tensor } from '../tensor.ts'
import { writeControlScales } from './control-scales.ts'
import { RowInput } from './row-input.ts'
import type { UnetRow } from './unet-batch.ts'

const channels = 3

/** The inputs that ControlNets add to UNet runs, in buffers that are filled again for every run. */
export class ControlNetFeeds {
  readonly #guides: RowInput<'uint8'>[] = []
  readonly #scales: RowInput<'float32'>[] = []

  /** The rows, whose pictures have one size, as feeds; valid until the next call. */
  fill(rows: readonly UnetRow[], controlNets: readonly LoadedControlNet[]): Readonly<Record<string, Tensor>> {
    const { width, height } = (rows[0] as UnetRow).state.request
    const count = rows.length
    const feeds: Record<string, Tensor> = {}
    controlNets.forEach((controlNet, slot) => {
      const uses = rows.map(({ state }) => state.controls[slot] as ControlNetUse<RgbImage>)
      const guides = (this.#guides[slot] ??= new RowInput('uint8'))
      const scales = (this.#scales[slot] ??= new RowInput('float32'))
      feeds[`control_guide_${slot}`] = guides.keep([count, height, width, channels], uses, (use, row) => row.set(use.guideImage.data))
      feeds[`control_scale_${slot}`] = scales.take([count, controlNet.maps])
      rows.forEach(({ state: { evaluation, run }, isNegative }, row) => {
        const moment = { evaluation, evaluations: run.timesteps.length, isNegative }
        writeControlScales(uses[row] as ControlNetUse<RgbImage>, controlNet, moment, scales.row(row))
      })
    })
    return feeds
  }
}

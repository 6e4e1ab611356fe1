import type { IpAdapterUse, RgbImage } from '../core/generation-request.ts'
import type { LoadedSteeredUnet } from '../models/loaded-model.ts'
import type { Tensor } from '../tensor.ts'
import type { ImagePrompt } from './pipeline.ts'
import { RowInput } from './row-input.ts'
import type { UnetRow } from './unet-batch.ts'

/** The inputs that IP-Adapters add to UNet runs, in buffers that are filled again for every run. */
export class ImagePromptFeeds {
  readonly #states: RowInput<'float32'>[] = []
  readonly #scales: RowInput<'float32'>[] = []

  /**
   * The rows as feeds; valid until the next call.
   * @param adapters those of the UNet's graph, in its order
   */
  fill(rows: readonly UnetRow[], adapters: LoadedSteeredUnet['ipAdapters']): Readonly<Record<string, Tensor>> {
    const count = rows.length
    const feeds: Record<string, Tensor> = {}
    adapters.forEach(({ tokens, width }, slot) => {
      const places = rows.map(({ state }) => state.parts.steered?.ipAdapterUses[slot] as number)
      const prompts = rows.map(({ state, isNegative }, row) => {
        const prompt = state.conditioning.imagePrompts?.[places[row] as number] as ImagePrompt
        return isNegative ? prompt.absentStates : prompt.states
      })
      const states = (this.#states[slot] ??= new RowInput('float32'))
      const scales = (this.#scales[slot] ??= new RowInput('float32')).take([count])
      rows.forEach(({ state }, row) => {
        scales.data[row] = (state.request.ipAdapters?.[places[row] as number] as IpAdapterUse<RgbImage>).weight
      })
      feeds[`image_states_${slot}`] = states.keep([count, tokens, width], prompts, (prompt, row) => row.set(prompt))
      feeds[`image_scale_${slot}`] = scales
    })
    return feeds
  }
}

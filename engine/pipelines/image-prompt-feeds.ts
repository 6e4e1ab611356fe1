import type { IpAdapterUse, RgbImage } from '../core/generation-request.ts'
import type { LoadedSteeredUnet } from '../models/loaded-model.ts'
import type { Tensor } from '../tensor.ts'
import { FloatPool } from './float-pool.ts'
import type { ImagePrompt } from './pipeline.ts'
import type { UnetRow } from './unet-batch.ts'

/** The inputs that IP-Adapters add to UNet runs, in buffers that are filled again for every run. */
export class ImagePromptFeeds {
  readonly #states: FloatPool[] = []
  readonly #scales: FloatPool[] = []

  /**
   * The rows as feeds; valid until the next call.
   * @param adapters those of the UNet's graph, in its order
   */
  fill(rows: readonly UnetRow[], adapters: LoadedSteeredUnet['ipAdapters']): Readonly<Record<string, Tensor>> {
    const count = rows.length
    const feeds: Record<string, Tensor> = {}
    adapters.forEach(({ tokens, width }, slot) => {
      const size = tokens * width
      const states = (this.#states[slot] ??= new FloatPool()).take(count * size)
      const scales = (this.#scales[slot] ??= new FloatPool()).take(count)
      rows.forEach(({ state, isNegative }, row) => {
        const place = state.parts.steered?.ipAdapterUses[slot] as number
        const prompt = state.conditioning.imagePrompts?.[place] as ImagePrompt
        states.set(isNegative ? prompt.absentStates : prompt.states, row * size)
        scales[row] = (state.request.ipAdapters?.[place] as IpAdapterUse<RgbImage>).weight
      })
      feeds[`image_states_${slot}`] = { dtype: 'float32', dims: [count, tokens, width], data: states }
      feeds[`image_scale_${slot}`] = { dtype: 'float32', dims: [count], data: scales }
    })
    return feeds
  }
}

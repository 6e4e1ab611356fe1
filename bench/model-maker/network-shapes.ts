import { buildClipText } from '../../engine/architectures/clip-text.ts'
import { buildControlNet } from '../../engine/architectures/control-net.ts'
import { buildPromptProjection } from '../../engine/architectures/prompt-projection.ts'
import { buildUnet } from '../../engine/architectures/unet.ts'
import { buildVaeDecoder } from '../../engine/architectures/vae-decoder.ts'
import { buildVaeEncoder } from '../../engine/architectures/vae-encoder.ts'
import type { WeightRef, WeightSource } from '../../engine/weights/weight-source.ts'

/** Shapes of a network's tensors by their names. */
export type Shapes = ReadonlyMap<string, readonly number[]>

/** A component's `config.json`. */
export type ComponentConfig = Readonly<Record<string, unknown>>

/** The tensors that the engine reads of each component, found by building its graphs over a source that has everything. */
export function networkShapes(configs: { readonly text_encoder: ComponentConfig; readonly unet: ComponentConfig; readonly vae: ComponentConfig }) {
  return {
    text_encoder: recorded(source => buildClipText(configs.text_encoder, source, 'cpu')),
    unet: recorded(source => [buildUnet(configs.unet, source, 'cpu'), buildPromptProjection(configs.unet, source, 'cpu')]),
    vae: recorded(source => [buildVaeEncoder(configs.vae, source, 'cpu'), buildVaeDecoder(configs.vae, source, 'cpu')]),
  }
}

/** The tensors of a ControlNet. */
export function controlNetShapes(config: ComponentConfig): Shapes {
  return recorded(source => buildControlNet(config, source, 'cpu'))
}

function recorded(build: (source: WeightSource) => unknown): Shapes {
  const shapes = new Map<string, readonly number[]>()
  build({
    has: () => true,
    unused: () => [],
    get(name, shape = []): WeightRef {
      shapes.set(name, shape)
      return { file: '/none', offset: 0, byteLength: 4 * shape.reduce((a, b) => a * b, 1), dtype: 'F32', shape }
    },
  })
  return shapes
}

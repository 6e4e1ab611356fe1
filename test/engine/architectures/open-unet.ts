import type { ModelGraph } from '../../../engine/graph/model-graph.ts'
import type { ModelSession, Runtime } from '../../../engine/runtime/model-session.ts'
import type { Tensor } from '../../../engine/tensor.ts'

type Feeds = Readonly<Record<string, Tensor>>

/**
 * A UNet and the graph that makes its keys and values of the prompts' states, as one session of the states; the UNet alone where
 * it makes them itself.
 */
export async function openUnet(runtime: Runtime, unet: ModelGraph, projection: ModelGraph | undefined): Promise<ModelSession> {
  const session = await runtime.open(unet)
  if (projection === undefined) return session
  const first = await runtime.open(projection)
  const made = new Set(projection.outputs.map(({ name }) => name))
  const inputs = [...projection.inputs, ...unet.inputs.filter(({ name }) => !made.has(name) && !projection.inputs.some(other => other.name === name))]
  return {
    name: unet.name, inputs, outputs: unet.outputs,
    run: async feeds => session.run({ ...those(feeds, unet), ...await first.run(those(feeds, projection)) }),
    release: async () => void (await Promise.all([session.release(), first.release()])),
  }
}

function those(feeds: Feeds, { inputs }: ModelGraph): Feeds {
  return Object.fromEntries(Object.entries(feeds).filter(([name]) => inputs.some(input => input.name === name)))
}

import type { ModelGraph } from '../../engine/graph/model-graph.ts'
import type { ModelSession, Runtime } from '../../engine/runtime/model-session.ts'
import type { Tensor } from '../../engine/tensor.ts'

/** A runtime that opens every graph and gives zeros: what is left of a step is the engine's own work. It knows the dims of inputs only, so it decodes nothing. */
export function instantRuntime(): Runtime {
  return { device: { type: 'cpu' }, open: graph => Promise.resolve(openGraph(graph)) }
}

function openGraph({ name, inputs, outputs }: ModelGraph): ModelSession {
  return {
    name, inputs, outputs,
    release: () => Promise.resolve(),
    async run(feeds) {
      const sizes = new Map<string, number>()
      for (const input of inputs) input.dims.forEach((dim, axis) => typeof dim === 'string' && sizes.set(dim, feeds[input.name]?.dims[axis] as number))
      return Object.fromEntries(outputs.map(output => [output.name, zeros(output.dims.map(dim => {
        const size = typeof dim === 'string' ? sizes.get(dim) : dim
        if (size === undefined) throw new Error(`Nothing is known of the dim ${dim} of ${name}`)
        return size
      }))]))
    },
  }
}

function zeros(dims: readonly number[]): Tensor {
  return { dtype: 'float32', dims, data: new Float32Array(dims.reduce((a, b) => a * b, 1)) }
}

import { buildControlNet } from '../architectures/control-net.ts'
import type { Lowering, ModelGraph } from '../graph/model-graph.ts'
import type { ControlNet } from './open-control-net.ts'
import { refuseUnused } from './refuse-unused.ts'

/**
 * Compiles a ControlNet to a graph of its own, which shows that it is sound: a WeightError, ConfigError or ModelError says what
 * is missing, of another shape, not supported or left over.
 */
export function compileControlNet({ config, weights }: ControlNet, lowering: Lowering): ModelGraph {
  const graph = buildControlNet(config, weights, lowering)
  refuseUnused(weights.unused())
  return graph
}

import type { Lowering, ModelGraph } from '../graph/model-graph.ts'
import { lateSession } from '../runtime/late-session.ts'
import type { ModelSession, Runtime } from '../runtime/model-session.ts'
import { ModelError } from './model-error.ts'
import type { ModelSpec } from './model-spec.ts'
import type { OpenModel } from './weights-budget.ts'

/** Something that can be opened: its graphs are compiled, nothing of it is on a device yet. */
export interface CompiledModel<T> {
  /** Bytes of weights it holds once it is open. */
  readonly byteLength: number
  readonly graphs: readonly ModelGraph[]
  /** Those of the graphs that not every request needs: each is opened by its first run. @default none */
  readonly lateGraphs?: readonly ModelGraph[]
  /** Puts together what users of it get, from the open graphs in their order. */
  assemble(sessions: readonly ModelSession[]): T
}

/** What graphs are compiled for on a runtime's device. */
export function loweringOf({ device }: Runtime): Lowering {
  return device.type === 'cuda' ? 'cuda' : 'cpu'
}

/**
 * Opens the graphs of a compiled model, all or none but for those that are opened late.
 * @param makeRoom awaited before the first is opened, with the bytes that all of them will hold
 */
export async function openCompiled<T>(
  spec: ModelSpec,
  { byteLength, graphs, lateGraphs = [], assemble }: CompiledModel<T>,
  runtime: Runtime,
  makeRoom: (bytes: number) => Promise<void>,
): Promise<OpenModel<T>> {
  await makeRoom(byteLength)
  const sessions: ModelSession[] = []
  const release = async (): Promise<void> => void (await Promise.all(sessions.map(session => session.release())))
  try {
    const open = (graph: ModelGraph) => openGraph(graph, runtime)
    for (const graph of graphs) sessions.push(lateGraphs.includes(graph) ? lateSession(graph, open) : await open(graph))
    return { spec, byteLength, model: assemble(sessions), release }
  } catch (error) {
    await release()
    throw error
  }
}

async function openGraph(graph: ModelGraph, runtime: Runtime): Promise<ModelSession> {
  return runtime.open(graph).catch((cause: unknown) => {
    // The runtime's own words hold paths; they stay in the cause, for the log.
    throw new ModelError(`the runtime could not open its graph ${graph.name}`, { cause })
  })
}

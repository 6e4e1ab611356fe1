import type { ModelGraph } from '../graph/model-graph.ts'
import type { ModelSession } from './model-session.ts'
import { RuntimeError } from './runtime-error.ts'

/** A session that is opened by its first run, so that a network which nobody uses takes no memory. An opening that fails is tried again by the next run. */
export function lateSession(graph: ModelGraph, openGraph: (graph: ModelGraph) => Promise<ModelSession>): ModelSession {
  const { name, inputs, outputs } = graph
  let opened: Promise<ModelSession> | undefined
  let isReleased = false

  const open = (): Promise<ModelSession> => {
    opened ??= openGraph(graph).catch((cause: unknown) => {
      opened = undefined
      throw cause
    })
    return opened
  }

  return {
    name, inputs, outputs,
    async run(feeds) {
      if (isReleased) throw new RuntimeError(`${name} was released`)
      const session = await open()
      return session.run(feeds)
    },
    async release() {
      isReleased = true
      // One that is just being opened is let go once it is; one that could not be opened holds nothing.
      const session = await opened?.catch(() => undefined)
      await session?.release()
    },
  }
}

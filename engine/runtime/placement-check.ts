import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { InferenceSession } from 'onnxruntime-node'
import { misplacedNodes } from './misplaced-nodes.ts'
import { RuntimeError } from './runtime-error.ts'

/** A check, once per opened graph, that the device computes all of it: a node on the processor costs two copies each step. */
export interface PlacementCheck {
  /** What the session must be created with. */
  readonly sessionOptions: Pick<InferenceSession.SessionOptions, 'enableProfiling' | 'profileFilePrefix'>
  /** Call after the first run. Throws a RuntimeError that names the nodes that ran elsewhere. */
  finish(session: InferenceSession): Promise<void>
  /** Call instead when the session could not be opened. */
  cancel(): Promise<void>
}

/** Prepares the check: the first run is recorded by the runtime's own profiler. */
export async function startPlacementCheck(graph: string, provider = 'CUDAExecutionProvider'): Promise<PlacementCheck> {
  const folder = await mkdtemp(join(tmpdir(), 'latentd-placement-'))
  const cancel = (): Promise<void> => rm(folder, { recursive: true, force: true })
  return {
    sessionOptions: { enableProfiling: true, profileFilePrefix: join(folder, 'run') },
    cancel,
    async finish(session) {
      session.endProfiling()
      try {
        const [file] = await readdir(folder)
        if (!file) throw new RuntimeError(`${graph} left no profile of its first run`)
        const misplaced = misplacedNodes(await readFile(join(folder, file), 'utf8'), provider)
        if (misplaced.length === 0) return
        const named = misplaced.slice(0, 5).join(', ')
        throw new RuntimeError(`${graph} has ${misplaced.length} nodes that ${provider} does not run: ${named}`)
      } finally {
        await cancel()
      }
    },
  }
}

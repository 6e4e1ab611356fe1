import type { RunReport } from '../engine.ts'
import type { ModelSession } from '../runtime/model-session.ts'
import type { Tensor } from '../tensor.ts'

/** Runs a network and reports what it did. */
export type NetworkRunner = (
  session: ModelSession,
  feeds: Readonly<Record<string, Tensor>>,
  work: Pick<RunReport, 'stage' | 'rows' | 'generations'>,
) => Promise<Readonly<Record<string, Tensor>>>

/** Makes the runner of one model; `nowMs` is a monotonic clock. */
export function createNetworkRunner(
  model: string,
  onRun: ((report: RunReport) => void) | undefined,
  nowMs: () => number,
): NetworkRunner {
  return async (session, feeds, work) => {
    const startMs = nowMs()
    const outputs = await session.run(feeds)
    onRun?.({ ...work, model, durationMs: nowMs() - startMs })
    return outputs
  }
}

import type { InferenceSession, OnnxValue } from 'onnxruntime-node'

type Feeds = Readonly<Record<string, OnnxValue>>

/** One run of a session of the runtime; monotonic ms. */
export interface WatchedRun {
  readonly startMs: number
  readonly endMs: number
}

/** A session of the runtime that somebody opened, with all that is needed to run the same work without that somebody. */
export interface WatchedSession {
  readonly createMs: number
  /** The graph and the options it was opened with. */
  readonly bytes: Uint8Array
  readonly options: InferenceSession.SessionOptions
  readonly inputNames: readonly string[]
  readonly runs: WatchedRun[]
  /** What the latest run was given. */
  readonly lastFeeds: Feeds | undefined
  /** Runs the session itself, unwatched. */
  run(feeds: Feeds): Promise<unknown>
}

/** Looks over the runtime's shoulder. */
export interface EngineWatch {
  /** In the order they were opened. */
  readonly sessions: readonly WatchedSession[]
  /** The denoiser of the model that was opened last. */
  denoiser(): WatchedSession
  /** Opens a graph as the engine opened it, with further options. */
  open(session: WatchedSession, more: InferenceSession.SessionOptions): Promise<InferenceSession>
}

/**
 * Notes every session that is opened in this process from now on, and its runs. The engine is left as it is, so that what is
 * measured is what is served; what a note costs is two readings of the clock a run.
 */
export async function watchEngine(): Promise<EngineWatch> {
  // As the engine itself does before it loads the library.
  process.env['ORT_DISABLE_TELEMETRY'] = '1'
  const { default: onnx } = await import('onnxruntime-node')
  onnx.env.logLevel = 'error'
  const factory = onnx.InferenceSession
  const create = factory.create.bind(factory) as (bytes: Uint8Array, options?: InferenceSession.SessionOptions) => Promise<InferenceSession>
  const sessions: WatchedSession[] = []
  const watched = async (bytes: Uint8Array, options: InferenceSession.SessionOptions = {}): Promise<InferenceSession> => {
    const startMs = performance.now()
    const session = await create(bytes, options)
    sessions.push(watchSession(session, bytes, options, performance.now() - startMs))
    return session
  }
  factory.create = watched as typeof factory.create
  return {
    sessions,
    denoiser() {
      const found = sessions.findLast(({ inputNames }) => inputNames.includes('sample') && inputNames.includes('timestep'))
      if (!found) throw new Error('No denoiser was opened')
      return found
    },
    open: ({ bytes, options }, more) => create(bytes, { ...options, ...more }),
  }
}

function watchSession(session: InferenceSession, bytes: Uint8Array, options: InferenceSession.SessionOptions, createMs: number): WatchedSession {
  const run = session.run.bind(session) as (feeds: Feeds) => Promise<InferenceSession.ReturnType>
  const runs: WatchedRun[] = []
  let lastFeeds: Feeds | undefined
  session.run = (async (feeds: Feeds) => {
    lastFeeds = feeds
    const startMs = performance.now()
    const results = await run(feeds)
    runs.push({ startMs, endMs: performance.now() })
    return results
  }) as typeof session.run
  return {
    createMs, bytes, options, runs, run,
    inputNames: session.inputNames,
    get lastFeeds() { return lastFeeds },
  }
}

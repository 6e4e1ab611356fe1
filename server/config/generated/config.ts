// Generated from schemas/ by `npm run generate`; do not edit.
/**
 * Every setting of latentd. The flag and the environment variable follow from the key unless x-flag or x-env says otherwise.
 */
export interface Config {
  /**
   * Address to listen on; 0.0.0.0 or :: for all.
   */
  readonly host: string
  /**
   * Port of WebSocket and REST; 0 takes a free one.
   */
  readonly port: number
  /**
   * Folders of models, or single .safetensors files; the flag may be repeated.
   *
   * @maxItems 100
   */
  readonly models?: readonly string[]
  /**
   * Folder of keys and finished pictures.
   */
  readonly data?: string
  /**
   * Accepted API key of at least 16 characters, beside those of `latentd keys`; the flag may be repeated.
   *
   * @maxItems 1000
   */
  readonly apiKeys: readonly string[]
  /**
   * What computes: auto takes every usable CUDA device, else the processor.
   */
  readonly device: string
  /**
   * How the denoiser computes: default is float32 on the processor and float16 on CUDA; int8, on the processor only, rounds the inputs and weights of the linear layers of its transformers to 8 bits, which is faster, takes less memory, and changes pictures a little.
   */
  readonly precision: 'default' | 'int8'
  /**
   * Threads of one worker on the processor; 0 is one a core.
   */
  readonly threads: number
  /**
   * Most rows of a network in one run; a picture with guidance takes two.
   */
  readonly maxRows: number
  /**
   * Most latent cells of a network in one run: rows times an eighth of the height times an eighth of the width; one picture always runs. 0 takes what pays on the device: 2048 on the processor, no limit on CUDA.
   */
  readonly maxCells: number
  /**
   * Most bytes of model weights open at once in one worker; 0 takes half of the memory of the device.
   */
  readonly weightsBudgetBytes: number
  /**
   * Address under which clients reach this server, for image URLs.
   */
  readonly publicUrl?: string
  /**
   * Least severity that is logged.
   */
  readonly logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent'
  /**
   * Refuse unknown parameters of a task instead of ignoring them.
   */
  readonly strictParameters: boolean
  /**
   * Origin of web pages that may use the server, or *; the flag may be repeated.
   *
   * @maxItems 1000
   */
  readonly corsOrigins: readonly string[]
  readonly sessions: {
    /**
     * A connection without messages and without a running task is closed after this time.
     */
    readonly idleTimeoutSeconds: number
    /**
     * How long a session and its results wait for their client to come back.
     */
    readonly resumeWindowSeconds: number
    /**
     * A connection that has not authenticated by then is closed.
     */
    readonly authTimeoutSeconds: number
    /**
     * Time between protocol pings on a quiet connection.
     */
    readonly pingIntervalSeconds: number
    /**
     * A connection whose pong is overdue by this time is taken for dead; its results wait for a resume.
     */
    readonly pongTimeoutSeconds: number
    /**
     * How long the state of a finished task can be read and its taskUUID stays taken; of the youngest 50,000 and 500,000 tasks at most.
     */
    readonly taskRetentionSeconds: number
  }
  readonly limits: {
    /**
     * Largest message or request body.
     */
    readonly maxFrameBytes: number
    /**
     * Largest message before authentication.
     */
    readonly maxUnauthenticatedFrameBytes: number
    /**
     * Most tasks of one message.
     */
    readonly maxTasksPerFrame: number
    /**
     * Most tasks of a session that wait, run, or have unconfirmed results.
     */
    readonly maxTasksPerSession: number
    /**
     * Most tasks that wait or run.
     */
    readonly maxQueuedTasks: number
    /**
     * Most tasks of one account that wait or run.
     */
    readonly maxQueuedTasksPerAccount: number
    /**
     * Largest task: width x height x steps x numberResults, in millions.
     */
    readonly maxTaskMegapixelSteps: number
    /**
     * Most results of a session that are reserved or unconfirmed; never below 20, the results one task may ask for.
     */
    readonly maxOutboxItems: number
    /**
     * Most reserved or unconfirmed results of one account.
     */
    readonly maxAccountOutboxItems: number
    /**
     * Frames handed to one connection and not yet confirmed by its peer.
     */
    readonly maxWriterFrames: number
    /**
     * Bytes a connection may have buffered before its session stops sending.
     */
    readonly maxWriterBytes: number
    /**
     * Most open connections.
     */
    readonly maxConnections: number
    /**
     * Most connections that are no WebSockets.
     */
    readonly maxHttpSockets: number
    /**
     * Most connections from one address that are no WebSockets; a proxy is one address.
     */
    readonly maxHttpSocketsPerAddress: number
    /**
     * Most connections that have not authenticated.
     */
    readonly maxUnauthenticatedSockets: number
    /**
     * Most connections from one address that have not authenticated.
     */
    readonly maxUnauthenticatedSocketsPerAddress: number
    /**
     * Largest file of a picture that a task names.
     */
    readonly maxImageBytes: number
    /**
     * Most bytes of uploaded pictures, and of pictures sent inside tasks, that one account has in the store.
     */
    readonly maxImageBytesPerAccount: number
    /**
     * Most sessions of an account that wait for their client.
     */
    readonly maxDetachedSessionsPerAccount: number
  }
  readonly storage: {
    /**
     * How long a finished picture is kept where its task names no ttl.
     */
    readonly ttlSeconds: number
    /**
     * How long a picture that was sent inside a task is kept; a task that waits longer fails.
     */
    readonly inlineTtlSeconds: number
    /**
     * Time between two removals of expired pictures.
     */
    readonly sweepIntervalSeconds: number
  }
  readonly fetch: {
    /**
     * A picture whose URL does not give it, or take it, within this time is given up.
     */
    readonly timeoutSeconds: number
    /**
     * Host, or host:port, that URLs of tasks may name although its address is private or its port unusual; the flag may be repeated.
     *
     * @maxItems 1000
     */
    readonly privateHosts: readonly string[]
  }
  readonly worker: {
    /**
     * A worker silent for this time is taken for dead; its tasks are given out again.
     */
    readonly leaseSeconds: number
    /**
     * Pause before a dead worker is started again; doubled at each failure in a row.
     */
    readonly restartDelaySeconds: number
  }
  readonly shutdown: {
    /**
     * After a signal to stop, time to keep serving while load balancers notice.
     */
    readonly graceSeconds: number
    /**
     * Time for running tasks to end.
     */
    readonly drainSeconds: number
    /**
     * Time over which connections are closed.
     */
    readonly closeSeconds: number
  }
  /**
   * Prices for `includeCost`, as JSON: perImage, perMegapixelStep, and models with the same two by AIR.
   */
  readonly prices: {
    /**
     * Price of a picture.
     */
    readonly perImage: number
    /**
     * Price of a million pixels times one step, added to perImage.
     */
    readonly perMegapixelStep: number
    /**
     * Prices of single models, by AIR; they replace the two above.
     */
    readonly models: {
      readonly [k: string]: {
        readonly perImage: number
        readonly perMegapixelStep: number
      }
    }
  }
}

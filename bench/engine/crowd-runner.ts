import type { RunReport } from '../../engine/index.ts'

/** One run of a network, as the engine reported it; monotonic ms. */
export interface ReportedRun extends RunReport {
  readonly startMs: number
}

/** The part of an engine that is used; a step loop takes other pictures than the engine around it. */
interface Generator<Request> {
  generate(request: Request, signal: AbortSignal): Promise<unknown>
}

/** What a crowd's steps took. */
export interface CrowdRun {
  /** Every run from the first of the denoiser on, the prompts' encoding left out. */
  readonly runs: readonly ReportedRun[]
  /** When the last step was done. */
  readonly endMs: number
}

/** Lets crowds of generations take a number of steps together, and cancels them before they would be decoded. */
export class CrowdRunner {
  #runs: ReportedRun[] = []
  #left = 0
  #controller = new AbortController()

  /** To be given to the engine. */
  readonly onRun = (report: RunReport): void => {
    if (this.#runs.length > 0 || report.stage === 'denoise') this.#runs.push({ ...report, startMs: performance.now() - report.durationMs })
    if (report.stage === 'denoise' && --this.#left === 0) this.#controller.abort(new Error('enough'))
  }

  /** Runs until the denoiser has run so often. The requests must ask for more steps than that. */
  async run<Request>(engine: Generator<Request>, requests: readonly Request[], denoiserRuns: number): Promise<CrowdRun> {
    this.#runs = []
    this.#left = denoiserRuns
    const { signal } = this.#controller = new AbortController()
    const ends = await Promise.allSettled(requests.map(request => engine.generate(request, signal)))
    const endMs = performance.now()
    const failed = ends.find(end => end.status === 'rejected' && end.reason !== signal.reason)
    if (failed?.status === 'rejected') throw failed.reason
    if (!signal.aborted) throw new Error('The crowd was done before it had taken all its steps')
    return { runs: this.#runs, endMs }
  }
}

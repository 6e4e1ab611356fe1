import type { Lease, TaskClaimer } from '../../../server/queue/contract.ts'
import type { TaskRecord } from '../../../server/queue/task-record.ts'
import type { ImageStore } from '../../../server/storage/image-store.ts'

/** The smallest PNG: one pixel. */
export const onePixelPng = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGD4DwABBAEAX+XDSwAAAABJRU5ErkJggg==', 'base64')

/** What a fake worker is made of. */
export interface FakeWorkerOptions {
  readonly queue: TaskClaimer
  readonly images: ImageStore
  /** Wall clock, ms. */
  readonly now: () => number
  readonly bytes?: Uint8Array
}

/**
 * Claims tasks and commits a pixel for each of their results. Prompts tell it what to do: one with `hold` waits for
 * `release`, one with `fail` fails, one with `failAfter1` fails after its first result, one with `refuseUpload` could not upload,
 * one with `sensitive` is flagged where its content is checked.
 */
export class FakeWorker {
  readonly #options: FakeWorkerOptions
  readonly #stop = new AbortController()
  #held: (() => void)[] = []
  #isHolding = false
  /** Tasks claimed, for tests that count computations. */
  readonly claimed: TaskRecord[] = []
  readonly cancelled: TaskRecord[] = []
  #onClaim: (() => void)[] = []

  constructor(options: FakeWorkerOptions) {
    this.#options = options
  }

  start(): void {
    void this.#run()
  }

  stop(): void {
    this.#stop.abort(new Error('stopped'))
    this.release()
  }

  /** Lets all go that wait now. */
  release(): void {
    const held = this.#held
    this.#held = []
    for (const resolve of held) resolve()
  }

  /** Makes every task wait for `release`. */
  hold(): void {
    this.#isHolding = true
  }

  unhold(): void {
    this.#isHolding = false
    this.release()
  }

  /** Resolves when `count` tasks have been claimed in all. */
  async whenClaimed(count: number): Promise<void> {
    while (this.claimed.length < count) await new Promise<void>(resolve => this.#onClaim.push(resolve))
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const leases = await this.#options.queue.claim('fake', 1000, this.#stop.signal).catch(() => [])
      for (const lease of leases) {
        this.claimed.push(lease.record)
        void this.#work(lease)
      }
      const onClaim = this.#onClaim
      this.#onClaim = []
      for (const resolve of onClaim) resolve()
    }
  }

  async #work(lease: Lease): Promise<void> {
    const { queue } = this.#options
    const { record } = lease
    const { prompt } = record.request
    lease.signal.addEventListener('abort', () => this.cancelled.push(record))
    for (const planned of record.results) {
      if (prompt.includes('hold') || this.#isHolding) await new Promise<void>(resolve => this.#held.push(resolve))
      if (this.#stop.signal.aborted || lease.signal.aborted) return
      if (prompt.includes('fail') && (planned.index === 1 || !prompt.includes('failAfter1'))) {
        return queue.fail(lease, { code: 'inferenceError', message: 'The fake worker was told to fail.', taskType: record.taskType, taskUUID: record.taskUUID })
      }
      await this.#commit(lease, planned)
    }
    await queue.settle(lease)
  }

  async #commit(lease: Lease, { index, imageUUID, seed }: TaskRecord['results'][number]): Promise<void> {
    const { queue, images, now, bytes = onePixelPng } = this.#options
    const { key, output, request: { checkContent, prompt } } = lease.record
    const image = { imageUUID, account: key.account, format: output.format, byteLength: bytes.length, expiresAt: now() + (output.ttlSeconds ?? 3600) * 1000 }
    await images.put(image, bytes)
    await queue.commit(lease, { index, imageUUID, seed, byteLength: bytes.length, format: output.format, ...(checkContent && { isSensitive: prompt.includes('sensitive') }), ...(prompt.includes('refuseUpload') && { uploadFailure: 'the server answered with status 403' }) })
  }
}

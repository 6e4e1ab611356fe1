import type { EncodedImage, Engine, GeneratedImage, ImageFormat, RgbImage } from '../../engine/index.ts'
import type { FetchImage } from '../outbound/fetch-image.ts'
import { joinSignals } from '../joint-signal.ts'
import type { Lease } from '../queue/contract.ts'
import { UploadError } from '../outbound/upload-image.ts'
import type { Upload, UploadImage } from '../outbound/upload-image.ts'
import type { CommittedResult, PlannedResult, TaskRecord, TaskRequest } from '../queue/task-record.ts'
import type { ImageStore } from '../storage/image-store.ts'
import { imageFormats } from '../tasks/result-item.ts'
import type { WorkerClaims } from './ipc-claimer.ts'
import { namesUrl, readImages } from './read-images.ts'

/** What running tasks takes. */
export interface TaskRunnerOptions {
  readonly claims: WorkerClaims
  readonly engine: Pick<Engine, 'generate'>
  readonly encode: (image: RgbImage, format: ImageFormat, quality: number) => Promise<Uint8Array>
  readonly store: Pick<ImageStore, 'put' | 'read'>
  readonly fetchImage: FetchImage
  readonly uploadImage: UploadImage
  /** Waits for a place in the engine. */
  readonly compute: <T>(job: () => Promise<T>) => Promise<T>
  /** Waits for another machine; other tasks have the room of that many results meanwhile. */
  readonly waitElsewhere: <T>(results: number, job: () => Promise<T>) => Promise<T>
  /** Lifetime of a picture whose task says nothing. */
  readonly imageTtlSeconds: number
  /** Wall clock, ms since the epoch. */
  readonly now: () => number
}

/**
 * Reads the pictures that a leased task names, computes its results that are not committed yet, all at once, and commits
 * each as it is done.
 *
 * The first failure stops the others, and is thrown when all have stopped. Does not end the lease.
 * @param signal stops the computation between two steps
 * @param onResult called after each result, committed or failed
 */
export async function runTask(options: TaskRunnerOptions, lease: Lease, signal: AbortSignal, onResult: () => void): Promise<void> {
  const open = lease.record.results.filter(({ index }) => !lease.committed.includes(index))
  const read = () => readImages(lease.record, options, signal)
  const request = namesUrl(lease.record) ? await options.waitElsewhere(open.length, read) : await read()
  const failure = new AbortController()
  const stop = joinSignals([signal, failure.signal])
  const runs = open.map(async planned => {
    try {
      await runResult(options, lease, request, planned, stop.signal)
    } catch (error) {
      if (!failure.signal.aborted) failure.abort(error)
    } finally {
      onResult()
    }
  })
  await Promise.all(runs)
  stop.leave()
  failure.signal.throwIfAborted()
}

async function runResult(options: TaskRunnerOptions, lease: Lease, request: TaskRequest<EncodedImage>, planned: PlannedResult, signal: AbortSignal): Promise<void> {
  const { claims, compute, encode, store, imageTtlSeconds, now } = options
  const { key, output } = lease.record
  const picture = await compute(() => generate(options, lease, request, planned, signal))
  const bytes = await encode(picture, output.format, output.quality)
  signal.throwIfAborted()
  const { imageUUID, index, seed } = planned
  const byteLength = bytes.length
  const expiresAt = now() + (output.ttlSeconds ?? imageTtlSeconds) * 1000
  await store.put({ imageUUID, account: key.account, format: output.format, byteLength, expiresAt }, bytes)
  const uploadFailure = await send(options, output, { bytes, mediaType: imageFormats[output.format].mediaType }, signal)
  const result: CommittedResult = { index, imageUUID, seed, byteLength, format: output.format, ...verdict(picture), ...(uploadFailure !== undefined && { uploadFailure }) }
  await claims.commit(lease, result)
}

function verdict({ isSensitive }: GeneratedImage): Pick<CommittedResult, 'isSensitive'> {
  return isSensitive === undefined ? {} : { isSensitive }
}

/** Sends a picture where its task wants it; gives the reason when it was not taken, for the picture itself is there. */
async function send({ uploadImage, waitElsewhere }: TaskRunnerOptions, { uploadUrl }: TaskRecord['output'], upload: Upload, signal: AbortSignal): Promise<string | undefined> {
  if (uploadUrl === undefined) return undefined
  try {
    await waitElsewhere(1, () => uploadImage(uploadUrl, upload, signal))
    return undefined
  } catch (error) {
    if (error instanceof UploadError) return error.message
    throw error
  }
}

async function generate(
  { engine }: TaskRunnerOptions,
  { record, isRetry }: Lease,
  request: TaskRequest<EncodedImage>,
  { imageUUID, seed }: PlannedResult,
  signal: AbortSignal,
): Promise<GeneratedImage> {
  signal.throwIfAborted()
  // A retry may start while the generation of the lease that was lost is still leaving the engine.
  const id = isRetry ? `${imageUUID}/retry` : imageUUID
  return await engine.generate({ ...request, id, owner: record.key.account, seed }, signal)
}

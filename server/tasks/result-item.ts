import { createError } from '../../protocol/index.ts'
import type { Acknowledgement, ErrorBody, ImageResult } from '../../protocol/index.ts'
import type { ImageStore } from '../storage/image-store.ts'
import type { CommittedResult, TaskRecord } from '../queue/task-record.ts'

/** File extension and media type of each format. */
export const imageFormats = {
  JPG: { extension: 'jpg', mediaType: 'image/jpeg' },
  PNG: { extension: 'png', mediaType: 'image/png' },
  WEBP: { extension: 'webp', mediaType: 'image/webp' },
} as const

/** The path under which the gateway serves pictures. */
export const imagesPath = '/images/'

/** Where a client fetches a picture. */
export function imageUrlOf(baseUrl: string, { imageUUID, format }: Pick<CommittedResult, 'imageUUID' | 'format'>): string {
  return `${baseUrl}${imagesPath}${imageUUID}.${imageFormats[format].extension}`
}

/** The picture that a result names is not in the store any more. */
export class PictureGoneError extends Error {
  override readonly name = 'PictureGoneError'
}

/**
 * Builds the item of a finished picture. Inline pictures are read from the store here, and live as long as the item.
 * @throws PictureGoneError when an inline picture has expired.
 */
export async function buildResultItem(record: TaskRecord, result: CommittedResult, images: ImageStore, types: OutputTypes = record.output.types): Promise<ImageResult> {
  return resultItem(record, result, types, types.every(isUrl) ? '' : await readBase64(images, result.imageUUID))
}

/** What base64 makes of a byte. */
const base64Factor = 4 / 3

/** What the pictures inside a task's items take, bytes. */
export function inlineBytesOf({ output: { types } }: Pick<TaskRecord, 'output'>, results: readonly CommittedResult[]): number {
  const copies = types.filter(type => !isUrl(type)).length
  return copies === 0 ? 0 : Math.ceil(results.reduce((sum, { byteLength }) => sum + byteLength, 0) * base64Factor * copies)
}

/** Builds the item of a finished picture that goes out as a URL. */
export function buildUrlItem(record: TaskRecord, result: CommittedResult): ImageResult {
  return resultItem(record, result, urlOnly, '')
}

type OutputTypes = TaskRecord['output']['types']

const urlOnly: OutputTypes = ['URL']

function isUrl(type: OutputTypes[number]): boolean {
  return type === 'URL'
}

function resultItem(record: TaskRecord, result: CommittedResult, types: OutputTypes, base64: string): ImageResult {
  const { mediaType } = imageFormats[result.format]
  return {
    taskType: record.taskType,
    taskUUID: record.taskUUID,
    imageUUID: result.imageUUID,
    ...(types.includes('URL') && { imageURL: imageUrlOf(record.baseUrl, result) }),
    ...(types.includes('base64Data') && { imageBase64Data: base64 }),
    ...(types.includes('dataURI') && { imageDataURI: `data:${mediaType};base64,${base64}` }),
    seed: result.seed,
    status: 'success',
    ...(result.isSensitive !== undefined && { NSFWContent: result.isSensitive }),
    ...(record.costPerResult !== undefined && { cost: record.costPerResult }),
    ...(result.uploadFailure !== undefined && { uploadError: createError('uploadFailed', { parameter: 'uploadEndpoint', reason: result.uploadFailure }) }),
  }
}

/** The item that says an async task was accepted: no picture, and nothing that a client could take for one. */
export function buildAcknowledgement({ taskType, taskUUID }: TaskRecord): Acknowledgement {
  return { taskType, taskUUID }
}

/** The error of a task whose picture was computed and cannot be read. */
export function unreadable({ taskType, taskUUID }: Pick<TaskRecord, 'taskType' | 'taskUUID'>, error: unknown): ErrorBody {
  if (error instanceof PictureGoneError) return createError('resultExpired', { taskType, taskUUID })
  return createError('serviceUnavailable', { taskType, taskUUID, reason: 'the picture was computed and cannot be read from the image store' })
}

async function readBase64(images: ImageStore, imageUUID: string): Promise<string> {
  const found = await images.read(imageUUID)
  if (!found) throw new PictureGoneError('The picture has expired')
  const { buffer, byteOffset, byteLength } = found.bytes
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64')
}

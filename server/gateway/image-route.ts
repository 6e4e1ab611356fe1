import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../clock.ts'
import type { ImageStore } from '../storage/image-store.ts'
import { imageFormats, imagesPath } from '../tasks/result-item.ts'
import { finishResponse } from './finish-response.ts'

const namePattern = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.(jpg|png|webp)$/i

/** What serving pictures needs. */
export interface ImageRouteOptions {
  readonly images: ImageStore
  readonly clock: Clock
  /** A client that takes nothing of a picture for this long is given up. */
  readonly stallMs: number
}

/**
 * Serves a picture by its UUID, which nobody can guess, to whoever has its address. There is no listing, and a picture
 * that never was answers like one that is gone.
 */
export async function serveImage(path: string, request: IncomingMessage, response: ServerResponse, { images, clock, stallMs }: ImageRouteOptions): Promise<void> {
  const [, uuid, extension] = namePattern.exec(path.slice(imagesPath.length)) ?? []
  const found = uuid && await images.read(uuid)
  if (!found || imageFormats[found.image.format].extension !== extension?.toLowerCase()) {
    response.writeHead(404, { 'Content-Type': 'text/plain; charset=utf-8' }).end('There is no such image, or it has expired.\n')
    return
  }
  const { image, bytes } = found
  const secondsLeft = Math.max(0, Math.floor((image.expiresAt - clock.wallNow()) / 1000))
  response.writeHead(200, {
    'Content-Type': imageFormats[image.format].mediaType,
    'Content-Length': bytes.byteLength,
    'Content-Disposition': `inline; filename="${image.imageUUID}.${imageFormats[image.format].extension}"`,
    'Content-Security-Policy': 'default-src \'none\'; sandbox',
    'Cache-Control': `private, max-age=${secondsLeft}, immutable`,
    'Cross-Origin-Resource-Policy': 'cross-origin',
  })
  finishResponse(response, request.method === 'HEAD' ? undefined : bytes, stallMs)
}

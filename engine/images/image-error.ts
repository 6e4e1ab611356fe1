/** A file that cannot be used as a picture; the message says why and names neither a path nor a parameter. */
export class ImageError extends Error {
  override readonly name = 'ImageError'
}

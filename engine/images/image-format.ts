/** File formats a picture can be encoded in. */
export const ImageFormat = {
  JPG: 'JPG',
  PNG: 'PNG',
  WEBP: 'WEBP',
} as const
export type ImageFormat = (typeof ImageFormat)[keyof typeof ImageFormat]

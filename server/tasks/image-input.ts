import { validate as isUuid } from 'uuid'
import type { ImageReference } from '../queue/task-record.ts'
import { imagesPath } from './result-item.ts'

/** A picture as a client gave it: a reference, or the text of the file itself. */
export type ImageInput = ImageReference | InlineImage

/** A file in base64, inside a text that may begin with something else. */
export interface InlineImage {
  readonly type: 'inline'
  readonly text: string
  /** Where the base64 begins. */
  readonly start: number
}

/** What was expected, for the error of a text that is none of it. */
export const expectedImage = 'the UUID of a picture, a URL, a data URI or base64, of a PNG, JPG or WEBP file'

/** Far longer than any head of a data URI. */
const maxHeadLength = 200
const dataUriHead = /^data:(?:image\/[a-z0-9.+-]+|application\/octet-stream)?(?:;[a-z0-9=._-]+)*;base64$/i
const uuidLength = 36

/**
 * Tells which of the forms a text has; undefined when it has none. The base64 is not looked at.
 * @param baseUrl under which clients reach this server: its own picture URLs are references to its store and never fetched
 */
export function readImageInput(text: string, baseUrl: string): ImageInput | undefined {
  if (text.length === uuidLength && isUuid(text)) return { type: 'stored', imageUUID: text.toLowerCase() }
  const scheme = /^([a-z][a-z0-9+.-]{1,20}):/i.exec(text.slice(0, 22))?.[1]?.toLowerCase()
  switch (scheme) {
    case undefined:
      return { type: 'inline', text, start: 0 }
    case 'data': {
      const comma = text.slice(0, maxHeadLength).indexOf(',')
      return comma > 0 && dataUriHead.test(text.slice(0, comma)) ? { type: 'inline', text, start: comma + 1 } : undefined
    }
    case 'http':
    case 'https': {
      const imageUUID = ownImageOf(text, baseUrl)
      return imageUUID === undefined ? { type: 'url', url: text } : { type: 'stored', imageUUID }
    }
    default:
      return undefined
  }
}

function ownImageOf(url: string, baseUrl: string): string | undefined {
  const prefix = `${baseUrl}${imagesPath}`
  if (!url.startsWith(prefix)) return undefined
  const imageUUID = url.slice(prefix.length, prefix.length + uuidLength)
  return isUuid(imageUUID) ? imageUUID.toLowerCase() : undefined
}

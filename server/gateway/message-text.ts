import type { RawData } from 'ws'

/** The text of a message: ws gives a text frame as one buffer, whose UTF-8 it has checked. */
export function textOf(data: RawData): string {
  return Array.isArray(data) ? Buffer.concat(data).toString() : data.toString()
}

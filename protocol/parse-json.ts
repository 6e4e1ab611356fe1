import secureJson from 'secure-json-parse'
import { scanStructure } from './scan-structure.ts'
import type { StringPlace } from './scan-structure.ts'

/** A text that was read, or why it was not; `reason` is for people. A suspect one has a name that `reachesPrototype` somewhere. */
export type ParsedJson =
  | { readonly type: 'parsed'; readonly value: unknown; readonly isSuspect: boolean }
  | { readonly type: 'refused'; readonly code: 'invalidRequest' | 'invalidJSON'; readonly reason: string }

const maxDepth = 32
/** Far above what tasks need, and parsed within a few milliseconds. */
const maxValues = 100_000
/** Only pictures are as long; a text that is kept for long must be shorter, for what is cut out of the frame keeps it in memory. */
const longLength = 16_384
/** Characters beside long texts: far above what the most tasks of a frame need. */
const maxShortLength = 8 * 2 ** 20

/** Stands where a long string was cut out. No parser would take it as it is, so a frame can hold it as an escape only. */
const mark = '\\u0000'
const readMark = '\u0000'

/**
 * Reads JSON that a stranger wrote. Never throws. It is measured before it is parsed, so a hostile text costs a scan; and
 * long strings, which are pictures, are not parsed but cut out: a frame of 32 MiB takes a fiftieth of the time then.
 */
export function parseJson(text: string): ParsedJson {
  const scanned = scanStructure(text, { maxDepth, maxValues, longLength })
  if (scanned.type === 'refused') return refused(scanned.fault === 'depth' ? `values nested deeper than ${maxDepth}` : `more than ${maxValues} values`)
  const { longStrings } = scanned
  const shortLength = longStrings.reduce((length, { start, end }) => length - (end - start), text.length)
  if (shortLength > maxShortLength) return refused(`more than ${maxShortLength} characters beside its pictures`)
  // The parser would drop a byte order mark, which JSON does not allow.
  const hasByteOrderMark = text.charCodeAt(0) === 0xfeff
  const parsed = hasByteOrderMark ? undefined : longStrings.length > 0 ? parseAround(text, longStrings) : parseShort(text)
  return parsed ?? { type: 'refused', code: 'invalidJSON', reason: text.trim() === '' ? 'it is empty' : 'it could not be parsed' }
}

/** Whether a name inside of a parsed value reaches an object's prototype. */
export function reachesPrototype(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  try {
    secureJson.scan(value)
    return false
  } catch {
    return true
  }
}

function refused(reason: string): ParsedJson {
  return { type: 'refused', code: 'invalidRequest', reason }
}

type Read = Extract<ParsedJson, { type: 'parsed' }> | undefined

function parseAround(text: string, places: readonly StringPlace[]): Read {
  const pieces = places.map(({ start }, index) => text.slice(index === 0 ? 0 : places[index - 1]?.end, start))
  const rest = text.slice(places.at(-1)?.end)
  if ([...pieces, rest].some(piece => piece.includes(mark))) return parseShort(text)
  const read = parseShort(pieces.map((piece, index) => `${piece}"${mark}${index}"`).join('') + rest)
  if (!read) return undefined
  try {
    return { ...read, value: putBack(read.value, places.map(place => readString(text, place))) }
  } catch {
    // One of the strings has an escape that is none.
    return undefined
  }
}

/** Control characters, which JSON does not allow, are taken where nothing is escaped: whoever reads the picture refuses them. */
function readString(text: string, { start, end, hasEscapes }: StringPlace): string {
  return hasEscapes ? String(JSON.parse(text.slice(start, end))) : text.slice(start + 1, end - 1)
}

function putBack(value: unknown, strings: readonly string[]): unknown {
  if (typeof value === 'string') return value.startsWith(readMark) ? strings[Number(value.slice(1))] : value
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(item => putBack(item, strings))
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, putBack(member, strings)]))
}

function parseShort(text: string): Read {
  try {
    return { type: 'parsed', value: mayReachPrototype(text) ? secureJson.parse(text) : JSON.parse(text) as unknown, isSuspect: false }
  } catch {
    // Either no JSON, or a name that reaches a prototype; then whoever asked looks at each element alone.
  }
  try {
    return { type: 'parsed', value: JSON.parse(text) as unknown, isSuspect: true }
  } catch {
    return undefined
  }
}

/** Whether searching for dangerous names can find any: where none of these occurs, not even escaped, it cannot, and it is slower than parsing. */
function mayReachPrototype(text: string): boolean {
  return text.includes('__proto__') || text.includes('constructor') || text.includes('\\u')
}

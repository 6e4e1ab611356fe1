/** What a text may hold, found before it is parsed. */
export interface StructureLimits {
  /** Most nested arrays and objects. */
  readonly maxDepth: number
  /** Most members and elements in all. */
  readonly maxValues: number
  /** A string value of at least as many characters is a long one. */
  readonly longLength: number
}

/** A string value as it stands in a text, its quotes included. */
export interface StringPlace {
  readonly start: number
  readonly end: number
  /** True when a backslash is in it: what it stands for is another text. */
  readonly hasEscapes: boolean
}

/** What a scan finds: why a text is not to be parsed, or where its long strings are. */
export type ScannedStructure =
  | { readonly type: 'refused'; readonly fault: 'depth' | 'values' }
  | { readonly type: 'sound'; readonly longStrings: readonly StringPlace[] }

const quote = 34
const comma = 44
const colon = 58
const backslash = 92
const openBracket = 91
const closeBracket = 93
const openBrace = 123
const closeBrace = 125
const whiteSpace: ReadonlySet<number> = new Set([9, 10, 13, 32])

/**
 * Looks for what would make parsing expensive or dangerous, in one pass that allocates for long strings only. It does not
 * check that the text is JSON: only brackets and commas outside of strings count, and strings are skipped at the speed of
 * `indexOf`. Names of members are no values, however long.
 */
export function scanStructure(text: string, { maxDepth, maxValues, longLength }: StructureLimits): ScannedStructure {
  const longStrings: StringPlace[] = []
  let depth = 0
  let values = 0
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case quote: {
        const start = at
        at = endOfString(text, at)
        if (at - start > longLength && !isName(text, at)) longStrings.push({ start, end: at + 1, hasEscapes: hasBackslash(text, start, at) })
        break
      }
      case openBracket:
      case openBrace:
        if (++depth > maxDepth) return { type: 'refused', fault: 'depth' }
        if (++values > maxValues) return { type: 'refused', fault: 'values' }
        break
      case comma:
        if (++values > maxValues) return { type: 'refused', fault: 'values' }
        break
      case closeBracket:
      case closeBrace:
        depth--
        break
    }
  }
  return { type: 'sound', longStrings }
}

// A quote ends the string unless an odd number of backslashes stands before it. Each run of backslashes is followed by
// one quote, so the walks back add up to one more pass at most.
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let before = end - 1
    while (text.charCodeAt(before) === backslash) before--
    if ((end - before) % 2 === 1) return end
  }
  return text.length
}

function isName(text: string, end: number): boolean {
  let after = end + 1
  while (whiteSpace.has(text.charCodeAt(after))) after++
  return text.charCodeAt(after) === colon
}

// Of a part, for a search in the whole text would go on to its end for each string.
function hasBackslash(text: string, start: number, end: number): boolean {
  return text.slice(start, end).includes('\\')
}

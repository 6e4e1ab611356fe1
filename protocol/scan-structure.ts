/** What a text may hold, found before it is parsed. */
export interface StructureLimits {
  /** Most nested arrays and objects. */
  readonly maxDepth: number
  /** Most members and elements in all. */
  readonly maxValues: number
}

export type StructureFault = 'depth' | 'values'

const quote = 34
const comma = 44
const backslash = 92
const openBracket = 91
const closeBracket = 93
const openBrace = 123
const closeBrace = 125

/**
 * Looks for what would make parsing expensive or dangerous, in one pass without allocation. It does not check that the
 * text is JSON: only brackets and commas outside of strings count, and strings are skipped at the speed of `indexOf`.
 */
export function scanStructure(text: string, { maxDepth, maxValues }: StructureLimits): StructureFault | undefined {
  let depth = 0
  let values = 0
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case quote:
        at = endOfString(text, at)
        break
      case openBracket:
      case openBrace:
        if (++depth > maxDepth) return 'depth'
        if (++values > maxValues) return 'values'
        break
      case comma:
        if (++values > maxValues) return 'values'
        break
      case closeBracket:
      case closeBrace:
        depth--
        break
    }
  }
  return undefined
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

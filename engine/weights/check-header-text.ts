const SPACE = /[ \t\n\r]/
/** A header is an object of objects that hold lists; a deeper text costs a parser much more than its length. */
const MAX_DEPTH = 3

/**
 * What is wrong with a header's text that `JSON.parse` would let through: an object with a key twice, of which it keeps the
 * last one silently, so that two readers could see different files; and nesting that no header has. Undefined when nothing is.
 *
 * It only walks over strings and brackets, so whether the text is JSON at all is left to the parser, which runs after.
 */
export function headerTextProblem(json: string): string | undefined {
  const open: Set<string>[] = []
  for (let at = 0; at < json.length; at++) {
    const character = json[at]
    if (character === '{' || character === '[') {
      if (open.length === MAX_DEPTH) return 'is nested deeper than a header may be'
      open.push(new Set())
    } else if (character === '}' || character === ']') {
      open.pop()
    } else if (character === '"') {
      const end = stringEnd(json, at)
      if (isKey(json, end)) {
        const key = decode(json.slice(at, end))
        const keys = open.at(-1)
        if (keys?.has(key)) return `has the key ${JSON.stringify(key.slice(0, 200))} twice`
        keys?.add(key)
      }
      at = end - 1
    }
  }
  return undefined
}

/** The place after the quote that ends the string starting at `start`; the end of the text when none does. */
function stringEnd(json: string, start: number): number {
  let at = start + 1
  while (at < json.length && json[at] !== '"') at += json[at] === '\\' ? 2 : 1
  return at + 1
}

function isKey(json: string, end: number): boolean {
  let at = end
  while (SPACE.test(json[at] ?? '')) at++
  return json[at] === ':'
}

/** A key may be spelt with escapes; one that is no JSON stays as it is, for the parser to refuse. */
function decode(literal: string): string {
  try {
    return JSON.parse(literal) as string
  } catch {
    return literal
  }
}

const STRING = /"(?:[^"\\]|\\.)*"/y
const COLON = /[ \t\n\r]*:/y

/**
 * The first key that an object in a JSON text has twice, in any of its objects. `JSON.parse` keeps the last one silently,
 * so two readers could see different files.
 *
 * The text must be well-formed JSON: this only walks over strings and brackets.
 */
export function duplicateKey(json: string): string | undefined {
  const open: Set<string>[] = []
  for (let at = 0; at < json.length; at++) {
    const character = json[at]
    if (character === '{' || character === '[') open.push(new Set())
    else if (character === '}' || character === ']') open.pop()
    else if (character === '"') {
      const end = matchEnd(STRING, json, at)
      if (matchEnd(COLON, json, end) > end) {
        const key = JSON.parse(json.slice(at, end)) as string
        const keys = open.at(-1)
        if (keys?.has(key)) return key
        keys?.add(key)
      }
      at = end - 1
    }
  }
  return undefined
}

function matchEnd(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : at
}

/** What a rule of the grammar found: the result, and the place after it. */
export interface Match<T> {
  readonly value: T
  readonly end: number
}

/** Whether a rule matches at a place, and what it finds there. */
export type Rule<T> = (at: number) => Match<T> | undefined

/** Reads the smallest parts of compel's syntax from a text; places are indices into it. */
export class CompelScanner {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  /** The first place from `at` that is no white space. */
  skip(at: number): number {
    let place = at
    while (isSpace(this.text[place])) place++
    return place
  }

  isSpaceAt(at: number): boolean {
    return isSpace(this.text[at])
  }

  /** A literal after white space; gives the place after it. */
  literal(at: number, literal: string): number | undefined {
    const place = this.skip(at)
    return this.text.startsWith(literal, place) ? place + literal.length : undefined
  }

  /** A regular expression with the flag y, exactly at a place. */
  match(at: number, pattern: RegExp): Match<string> | undefined {
    pattern.lastIndex = at
    const found = pattern.exec(this.text)?.[0]
    return found === undefined ? undefined : { value: found, end: at + found.length }
  }

  /** A number, exactly at a place: a fraction with its point, or a whole number without a plus. */
  number(at: number): Match<number> | undefined {
    const found = this.match(at, /[+-]?(?:\d+\.\d*|\.\d+)|-?\d+/y)
    return found && { value: Number(found.value), end: found.end }
  }

  /** Whether nothing but white space follows. */
  isEnd(at: number): boolean {
    return this.skip(at) >= this.text.length
  }
}

function isSpace(character: string | undefined): boolean {
  return character === ' ' || character === '\t' || character === '\n' || character === '\r'
}

import { fragment } from './compel-nodes.ts'
import type { CompelNode } from './compel-nodes.ts'
import { CompelScanner } from './compel-scanner.ts'
import type { Match, Rule } from './compel-scanner.ts'
import { PromptError } from './prompt-error.ts'

type Nodes = readonly CompelNode[]

/** A word without syntax: escaped signs, a plus or minus inside it, digits, and whatever else is no syntax. */
const WORD = /(?:\\[()",.+\-=]|[-+](?![ \t\n\r()",.+\-=]|$)|-?\d+|[^ \t\n\r\v\f()",.+\-=])+/y
const QUOTED = /"(?:\\"|[^"\n\r])*"/y
const FREE_WORD = /[^ \t\n\r\v\f]+/y
const SPACE = /[ \t\n\r\v\f]+/y
const SIGNS = /\++|-+/y
const PLUS_BASE = 1.1
const MINUS_BASE = 0.9
/** Brackets inside brackets that are followed. */
const MOST_DEPTH = 100

/**
 * The rules of compel's grammar for pieces of a prompt, over one text.
 *
 * They are those of the reference's parsing expression grammar: of several rules the first that matches counts, and nothing
 * is tried again once it has matched. What a bracket or a quote leads to is remembered, so that trying costs nothing.
 */
export class CompelFragments {
  readonly #scanner: CompelScanner
  readonly #parenthesized = new Map<number, Match<Nodes> | undefined>()
  #depth = 0

  constructor(text: string) {
    this.#scanner = new CompelScanner(text)
  }

  /** A prompt, word by word up to where none is left; words may hold any signs. */
  prompt(at: number): Match<Nodes> {
    return this.#many(at, place =>
      this.#swap(place) ?? this.#lora(place) ?? this.#attention(place) ?? this.#quoted(place) ?? this.parenthesized(place)
      ?? fragmentOf(this.#scanner.match(place, FREE_WORD)) ?? nothingOf(this.#scanner.match(place, SPACE)))
  }

  /** What an operator may stand behind. */
  target(at: number): Match<Nodes> | undefined {
    return this.#quoted(at) ?? this.parenthesized(at) ?? this.#word(at)
  }

  /** A quoted text that is a prompt by itself. */
  quotedPrompt(at: number): Match<Nodes> | undefined {
    return this.#quotedAs(at, inner => inner.prompt(0))
  }

  parenthesized(at: number): Match<Nodes> | undefined {
    const start = this.#scanner.literal(at, '(')
    if (start === undefined) return undefined
    if (this.#parenthesized.has(start)) return this.#parenthesized.get(start)
    if (++this.#depth > MOST_DEPTH) throw new PromptError(`brackets may be nested ${MOST_DEPTH} deep`)
    const { value, end } = this.#fragments(start, true)
    const after = this.#scanner.literal(end, ')')
    this.#depth--
    const found = after === undefined ? undefined : { value, end: after }
    this.#parenthesized.set(start, found)
    return found
  }

  /** An option of `.and()` and `.blend()`: a number, a word, or a word with a value. */
  option(at: number): Match<string | number> | undefined {
    const place = this.#scanner.skip(at)
    const keyword = this.#scanner.match(place, /[A-Za-z0-9_-]+/y)
    const equals = keyword && this.#scanner.literal(keyword.end, '=')
    if (keyword && equals !== undefined) {
      const start = this.#scanner.skip(equals)
      const value = this.#scanner.number(start) ?? this.#scanner.match(start, /[A-Za-z0-9_-]+/y)
      if (value) return { value: keyword.value, end: value.end }
    }
    return this.#scanner.number(place) ?? keyword
  }

  #many(at: number, rule: Rule<Nodes>): Match<Nodes> {
    const nodes: CompelNode[] = []
    let end = at
    for (let found = rule(end); found; found = rule(end)) {
      nodes.push(...found.value)
      end = found.end
    }
    return { value: nodes, end }
  }

  /** Pieces inside brackets or quotes, where commas and points end a word. */
  #fragments(at: number, hasPunctuation: boolean): Match<Nodes> {
    return this.#many(at, place =>
      this.#lora(place) ?? this.#attention(place) ?? this.#swap(place) ?? this.parenthesized(place) ?? this.#quoted(place)
      ?? this.#word(place) ?? (hasPunctuation ? this.#punctuation(place) : undefined))
  }

  #punctuation(at: number): Match<Nodes> | undefined {
    return fragmentOf(this.#scanner.match(this.#scanner.skip(at), /[,.]/y))
  }

  #word(at: number): Match<Nodes> | undefined {
    return fragmentOf(this.#scanner.match(this.#scanner.skip(at), WORD))
  }

  #quoted(at: number): Match<Nodes> | undefined {
    return this.#quotedAs(at, inner => inner.#fragments(0, true))
  }

  #quotedAs(at: number, parse: (inner: CompelFragments) => Match<Nodes>): Match<Nodes> | undefined {
    const found = this.#scanner.match(this.#scanner.skip(at), QUOTED)
    if (!found) return undefined
    const text = found.value.slice(1, -1).replace(/\\[tnfr]/g, ' ').replaceAll('\\"', '"')
    if (text.trim() === '') return { value: [fragment('')], end: found.end }
    const inner = new CompelFragments(text.replaceAll('"', '\\"'))
    const { value, end } = parse(inner)
    return inner.#scanner.isEnd(end) ? { value, end: found.end } : undefined
  }

  /** `word.attend(1.2)`, `word++`, `(several words)1.2`. */
  #attention(at: number): Match<Nodes> | undefined {
    return this.#explicitAttention(at) ?? this.#implicitAttention(this.#quoted(at) ?? this.parenthesized(at), true)
      ?? this.#implicitAttention(this.#word(at), false)
  }

  #explicitAttention(at: number): Match<Nodes> | undefined {
    const target = this.target(at)
    const start = target && this.#scanner.literal(target.end, '.attend')
    const open = start === undefined ? undefined : this.#scanner.literal(start, '(')
    const weight = open === undefined ? undefined : this.#weight(this.#scanner.skip(open), true)
    const end = weight && this.#scanner.literal(weight.end, ')')
    return target && weight && end !== undefined ? { value: [{ type: 'attention', weight: weight.value, children: target.value }], end } : undefined
  }

  #implicitAttention(target: Match<Nodes> | undefined, takesNumber: boolean): Match<Nodes> | undefined {
    const weight = target && this.#weight(target.end, takesNumber)
    return weight && { value: [{ type: 'attention', weight: weight.value, children: target.value }], end: weight.end }
  }

  #weight(at: number, takesNumber: boolean): Match<number> | undefined {
    const signs = this.#scanner.match(at, SIGNS)
    if (!signs) return takesNumber ? this.#scanner.number(at) : undefined
    return { value: (signs.value[0] === '+' ? PLUS_BASE : MINUS_BASE) ** signs.value.length, end: signs.end }
  }

  #swap(at: number): Match<Nodes> | undefined {
    const target = this.target(at)
    const start = target && this.#scanner.literal(target.end, '.swap')
    const open = start === undefined ? undefined : this.#scanner.literal(start, '(')
    if (open === undefined) return undefined
    const replacement = this.#fragments(open, false)
    const comma = this.#scanner.literal(replacement.end, ',')
    const end = this.#scanner.literal(comma === undefined ? replacement.end : this.options(comma).end, ')')
    return end === undefined ? undefined : { value: [{ type: 'refused', operator: '.swap()' }], end }
  }

  /** Options behind each other; none is a match too. */
  options(at: number): Match<readonly (string | number)[]> {
    const values: (string | number)[] = []
    let end = at
    for (let found = this.option(end); found;) {
      values.push(found.value)
      end = found.end
      const comma = this.#scanner.literal(end, ',')
      found = comma === undefined ? undefined : this.option(comma)
    }
    return { value: values, end }
  }

  #lora(at: number): Match<Nodes> | undefined {
    const name = ['useLora', 'withLora'].find(each => this.#scanner.literal(at, each) !== undefined)
    const start = name === undefined ? undefined : this.#scanner.literal(at, name)
    const open = start === undefined ? undefined : this.#scanner.literal(start, '(')
    const keyword = open === undefined ? undefined : this.#scanner.match(this.#scanner.skip(open), /[A-Za-z0-9_-]+/y)
    const comma = keyword && this.#scanner.literal(keyword.end, ',')
    const weight = comma === undefined ? undefined : this.#scanner.number(this.#scanner.skip(comma))
    const end = keyword && this.#scanner.literal(weight?.end ?? keyword.end, ')')
    return end === undefined ? undefined : { value: [{ type: 'refused', operator: `${name}()` }], end }
  }
}

function fragmentOf(found: Match<string> | undefined): Match<Nodes> | undefined {
  return found && { value: [fragment(found.value)], end: found.end }
}

function nothingOf(found: Match<string> | undefined): Match<Nodes> | undefined {
  return found && { value: [], end: found.end }
}

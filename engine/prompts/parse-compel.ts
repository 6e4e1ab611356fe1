import { CompelFragments } from './compel-fragments.ts'
import type { CompelNode, CompelTree } from './compel-nodes.ts'
import { CompelScanner } from './compel-scanner.ts'
import type { Match } from './compel-scanner.ts'
import { PromptError } from './prompt-error.ts'

type Nodes = readonly CompelNode[]
type Options = readonly (string | number)[]

/**
 * Parses a prompt in compel's syntax: `word++`, `(several words)1.2`, `("one", "another").and()`, `("one", "another").blend(1, 0.5)`.
 * Text that is no syntax is text, as in the reference. Throws a PromptError for an operator that cannot be followed.
 */
export function parseCompel(prompt: string): CompelTree {
  const text = prompt.replace(/,(\S)/g, ', $1')
  const scanner = new CompelScanner(text)
  const fragments = new CompelFragments(text)
  const conjunction = operation(scanner, fragments, ['.and', '.add'])
  // What stands behind .and() is left out, as in the reference.
  if (conjunction) return { parts: conjunctionParts(conjunction.value) }
  const blend = operation(scanner, fragments, ['.blend'])
  if (!blend) return { parts: [{ prompts: [fragments.prompt(0).value], weight: 1 }] }
  if (!scanner.isEnd(blend.end)) throw new PromptError('.blend() takes the whole prompt: nothing may stand behind it')
  return { parts: [blendPart(blend.value)] }
}

interface Operation {
  readonly prompts: readonly Nodes[]
  readonly options: Options
}

/** `(a, b, …).name(options)`. */
function operation(scanner: CompelScanner, fragments: CompelFragments, names: readonly string[]): Match<Operation> | undefined {
  const open = scanner.literal(0, '(')
  const prompts: Nodes[] = []
  let end: number | undefined = open
  for (let place = open; place !== undefined;) {
    const found: Match<Nodes> | undefined = fragments.target(place) ?? fragments.quotedPrompt(place)
    if (!found) break
    prompts.push(found.value)
    end = found.end
    place = scanner.literal(end, ',')
  }
  if (end === undefined || prompts.length === 0) return undefined
  const close = scanner.literal(end, ')')
  const name = close === undefined ? undefined : names.map(each => scanner.literal(close, each)).find(each => each !== undefined)
  const arguments_ = name === undefined ? undefined : scanner.literal(name, '(')
  if (arguments_ === undefined) return undefined
  const options = fragments.options(arguments_)
  const after = scanner.literal(options.end, ')')
  return after === undefined ? undefined : { value: { prompts, options: options.value }, end: after }
}

function conjunctionParts({ prompts, options }: Operation): CompelTree['parts'] {
  const weights = weightsOf('.and()', options, prompts.length)
  return prompts.map((nodes, index) => ({ prompts: [nodes], weight: weights[index] as number }))
}

function blendPart({ prompts, options }: Operation): CompelTree['parts'][number] {
  const isNormalized = options.at(-1) !== 'no_normalize'
  const weights = weightsOf('.blend()', isNormalized ? options : options.slice(0, -1), prompts.length)
  if (isNormalized && weights.reduce((sum, weight) => sum + weight, 0) === 0) {
    throw new PromptError('the weights of .blend() must not add up to 0')
  }
  return { prompts, blend: { weights, isNormalized }, weight: 1 }
}

function weightsOf(operator: string, options: Options, count: number): readonly number[] {
  const strange = options.find(option => typeof option !== 'number')
  if (strange !== undefined) throw new PromptError(`${operator} takes a weight for each prompt, not ${JSON.stringify(strange)}`)
  if (options.length === 0) return new Array<number>(count).fill(1)
  if (options.length !== count) throw new PromptError(`${operator} has ${count} prompts and ${options.length} weights`)
  return options as readonly number[]
}

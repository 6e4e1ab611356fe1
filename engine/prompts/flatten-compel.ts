import { unescape } from './compel-nodes.ts'
import type { CompelNode, CompelTree } from './compel-nodes.ts'
import { PromptError } from './prompt-error.ts'
import type { WeightedText } from './weighted-text.ts'

/** A prompt in compel's syntax with its weights multiplied through. */
export interface CompelPrompt {
  /** One after the other in the context. */
  readonly parts: readonly CompelPart[]
}

/** One prompt, or the several of a blend. */
export interface CompelPart {
  readonly prompts: readonly (readonly WeightedText[])[]
  /** How much of each prompt goes into the blend; [1] for one prompt. */
  readonly shares: readonly number[]
  /** How far the part lies from a prompt without text: 1 is where it is. */
  readonly weight: number
}

/** Multiplies weights through and joins neighbours of equal weight. Throws a PromptError for what cannot be followed. */
export function flattenCompel({ parts }: CompelTree): CompelPrompt {
  const flattened = parts.flatMap(({ prompts, blend, weight }): CompelPart[] => {
    const flat = prompts.map(flattenPrompt)
    if (!blend) return flat[0]?.length === 0 ? [] : [{ prompts: flat, shares: [1], weight }]
    if (flat.some(texts => texts.length === 0)) throw new PromptError('a prompt of .blend() is empty')
    const { weights, isNormalized } = blend
    const sum = isNormalized ? weights.reduce((total, each) => total + each, 0) : 1
    return [{ prompts: flat, shares: weights.map(each => each / sum), weight }]
  })
  if (flattened.length === 0) throw new PromptError('it holds nothing but brackets')
  return { parts: flattened }
}

function flattenPrompt(nodes: readonly CompelNode[]): readonly WeightedText[] {
  const texts: WeightedText[] = []
  for (const { text, weight } of nodes.flatMap(node => flattenNode(node, 1))) {
    const last = texts.at(-1)
    if (last?.weight === weight) texts[texts.length - 1] = { text: unescape(`${last.text} ${text}`), weight }
    else texts.push({ text, weight })
  }
  return texts
}

function flattenNode(node: CompelNode, scale: number): readonly WeightedText[] {
  switch (node.type) {
    case 'fragment':
      return [{ text: unescape(node.text), weight: scale }]
    case 'attention':
      return node.children.flatMap(child => flattenNode(child, scale * node.weight))
    case 'refused':
      throw new PromptError(`${node.operator} is not supported; name LoRAs in the parameter lora, and write the prompt as it shall be`)
    default:
      return node satisfies never
  }
}

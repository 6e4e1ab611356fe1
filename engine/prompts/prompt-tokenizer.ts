import { Tokenizer } from '@huggingface/tokenizers'
import { chunkTokens } from './chunk-tokens.ts'
import { clipTokenizerJson, type ClipTables, END_TOKEN, START_TOKEN } from './clip-tokenizer-json.ts'

/** Positions of the text encoders of the SD families. */
const CHUNK_LENGTH = 77
/** Most tokens of a prompt: 64 chunks, far beyond what a picture can show. */
const MOST_TOKENS = 4800
/** How a client asks for no prompt at all. */
const BLANK_PROMPT = '__BLANK__'

/** A model's tokenizer files; the longest text its encoder takes, in tokens, start and end included. */
export interface PromptTokenizerFiles extends ClipTables {
  readonly modelMaxLength: number
}

/** Turns prompts into the token ids a model's text encoder takes. */
export interface PromptTokenizer {
  /**
   * Splits a prompt into chunks of token ids, each with its start and end token and padded to the same length; at least one.
   * @throws RangeError for a prompt of more than 4800 tokens.
   */
  chunks(prompt: string): readonly (readonly number[])[]
  /** The prompt's token ids alone. */
  tokens(prompt: string): readonly number[]
}

/**
 * Makes a CLIP tokenizer from a model's vocabulary and merges.
 * @throws Error when the vocabulary lacks the start, end or padding token.
 */
export function createPromptTokenizer(files: PromptTokenizerFiles): PromptTokenizer {
  const start = idOf(files, START_TOKEN)
  const end = idOf(files, END_TOKEN)
  const pad = idOf(files, files.padToken)
  const tokenizer = new Tokenizer(clipTokenizerJson(files), {})
  const length = Math.min(files.modelMaxLength, CHUNK_LENGTH)
  const tokens = (prompt: string) => tokenizer.encode(normalise(prompt), { add_special_tokens: false }).ids
  return {
    tokens,
    chunks(prompt) {
      const ids = prompt === BLANK_PROMPT ? [] : tokens(prompt)
      if (ids.length > MOST_TOKENS) throw new RangeError(`expected a prompt of at most ${MOST_TOKENS} tokens, got ${ids.length}`)
      return chunkTokens(ids, { start, end, pad, length })
    },
  }
}

function normalise(prompt: string): string {
  // Half characters are not text. The reference lower-cases letter by letter; JavaScript alone knows a final sigma.
  return prompt.replace(/\p{Surrogate}/gu, '\ufffd').replaceAll('Σ', 'σ')
}

function idOf({ vocabulary }: PromptTokenizerFiles, token: string): number {
  if (!Object.hasOwn(vocabulary, token)) throw new Error(`the tokenizer's vocabulary lacks ${JSON.stringify(token)}`)
  return vocabulary[token]
}

import { Tokenizer } from '@huggingface/tokenizers'
import type { ChunkFrame } from './chunk-tokens.ts'
import { clipTokenizerJson, type ClipTables, END_TOKEN, START_TOKEN } from './clip-tokenizer-json.ts'
import { splitMarks } from './mark-triggers.ts'
import type { PromptEmbedding, PromptToken } from './prompt-token.ts'

/** Positions of the text encoders of the SD families. */
const CHUNK_LENGTH = 77

/** A model's tokenizer files; the longest text its encoder takes, in tokens, start and end included. */
export interface PromptTokenizerFiles extends ClipTables {
  readonly modelMaxLength: number
}

/** Turns texts into what a model's text encoder takes. */
export interface PromptTokenizer {
  readonly frame: ChunkFrame
  /** A text's token ids alone. */
  tokens(text: string): readonly number[]
  /** Tokenizes the texts of one prompt, in which marks stand for these embeddings. */
  texts(embeddings: readonly PromptEmbedding[]): TextTokens
}

/** The texts of one prompt as tokens. */
export interface TextTokens {
  readonly frame: ChunkFrame
  tokens(text: string): readonly PromptToken[]
  /** How a token is spelt in the vocabulary. */
  pieceOf(id: number): string
}

/**
 * Makes a CLIP tokenizer from a model's vocabulary and merges.
 * @throws Error when the vocabulary lacks the start, end or padding token.
 */
export function createPromptTokenizer(files: PromptTokenizerFiles): PromptTokenizer {
  const frame: ChunkFrame = {
    start: idOf(files, START_TOKEN),
    end: idOf(files, END_TOKEN),
    pad: idOf(files, files.padToken),
    length: Math.min(files.modelMaxLength, CHUNK_LENGTH),
  }
  const tokenizer = new Tokenizer(clipTokenizerJson(files), {})
  const tokens = (text: string) => tokenizer.encode(normalise(text), { add_special_tokens: false }).ids
  const pieceOf = (id: number) => tokenizer.id_to_token(id) ?? ''
  return {
    frame,
    tokens,
    texts: embeddings => ({
      frame,
      pieceOf,
      tokens: text => splitMarks(text).flatMap((part): readonly PromptToken[] => {
        return typeof part === 'string' ? tokens(part) : (embeddings[part]?.tokens ?? [])
      }),
    }),
  }
}

function normalise(text: string): string {
  // Half characters are not text. The reference lower-cases letter by letter; JavaScript alone knows a final sigma.
  return text.replace(/\p{Surrogate}/gu, '\ufffd').replaceAll('Σ', 'σ')
}

function idOf({ vocabulary }: PromptTokenizerFiles, token: string): number {
  if (!Object.hasOwn(vocabulary, token)) throw new Error(`the tokenizer's vocabulary lacks ${JSON.stringify(token)}`)
  return vocabulary[token]
}

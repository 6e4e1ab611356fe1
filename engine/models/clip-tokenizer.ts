import { gunzipSync } from 'node:zlib'
import type { TokenizerFiles } from './loaded-model.ts'
import { readPackageAsset } from './package-asset.ts'

/** Tokens of CLIP's own vocabulary. */
export const CLIP_VOCABULARY_SIZE = 49408
const WORD_END = '</w>'

type Tables = Pick<TokenizerFiles, 'vocabulary' | 'merges' | 'highestId'>

/**
 * CLIP's own tokenizer, for checkpoints that come without one; SD 1.x and SD 2.x differ in the padding token only.
 * All share one vocabulary: making it anew for each of a folder's checkpoints was most of the time to look through them.
 */
export async function clipTokenizer(padToken: string, modelMaxLength: number): Promise<TokenizerFiles> {
  return { ...(await clipTables()), padToken, modelMaxLength }
}

const clipTables = lazily(async (): Promise<Tables> => {
  const merges = gunzipSync(await readPackageAsset('engine/models/clip-vocabulary/clip-merges.txt.gz'))
    .toString('utf8')
    .trimEnd()
    .split('\n')
  return { vocabulary: Object.freeze(clipVocabulary(merges)), merges: Object.freeze(merges), highestId: CLIP_VOCABULARY_SIZE - 1 }
})

/** A constant that is made when it is first asked for. */
function lazily<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => (made ??= { value: make() }).value
}

/** CLIP's vocabulary in order: the bytes, the bytes that end a word, what each merge gives, and the two special tokens. */
function clipVocabulary(merges: readonly string[]): Readonly<Record<string, number>> {
  const bytes = byteCharacters()
  const merged = merges.map(merge => merge.replace(' ', ''))
  const tokens = [...bytes, ...bytes.map(byte => byte + WORD_END), ...merged, '<|startoftext|>', '<|endoftext|>']
  return Object.fromEntries(tokens.map((token, id) => [token, id]))
}

/** The printable character that stands for each byte: itself where it is printable, else the next one from U+0100; in CLIP's order. */
function byteCharacters(): readonly string[] {
  const isPrintable = (byte: number): boolean => (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae
  const bytes = Array.from({ length: 256 }, (_, byte) => byte)
  const printable = bytes.filter(isPrintable).map(byte => String.fromCodePoint(byte))
  const others = bytes.filter(byte => !isPrintable(byte)).map((_, index) => String.fromCodePoint(256 + index))
  return [...printable, ...others]
}

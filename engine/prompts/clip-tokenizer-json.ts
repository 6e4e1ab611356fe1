/** What a CLIP tokenizer is made of. */
export interface ClipTables {
  /** Token → id. */
  readonly vocabulary: Readonly<Record<string, number>>
  /** BPE merges in order, each `left right`. */
  readonly merges: readonly string[]
  readonly padToken: string
}

export const START_TOKEN = '<|startoftext|>'
export const END_TOKEN = '<|endoftext|>'

/** Unicode's White_Space, which is what the reference means by \s; JavaScript's differs in U+0085 and U+FEFF. */
const SPACE = '\\t-\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000'
const WORDS = `'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^${SPACE}\\p{L}\\p{N}]+`

/**
 * Describes CLIP's tokenizer in the form of a `tokenizer.json`: composed and lower-cased text, split into words, digits and
 * runs of punctuation, whose UTF-8 bytes are merged pair by pair; a word's last piece carries `</w>`. Start and end token
 * are also found in any case, the padding token only as it is written, as the published configurations say.
 */
export function clipTokenizerJson({ vocabulary, merges, padToken }: ClipTables): object {
  const special = [...new Set([START_TOKEN, END_TOKEN, padToken])]
  return {
    version: '1.0',
    added_tokens: special.map((content) => ({
      id: vocabulary[content],
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: content !== padToken,
      special: true,
    })),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'NFC' },
        { type: 'Replace', pattern: { Regex: `[${SPACE}]+` }, content: ' ' },
        { type: 'Lowercase' },
      ],
    },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: WORDS }, behavior: 'Removed', invert: true },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    post_processor: null,
    decoder: null,
    model: {
      type: 'BPE',
      unk_token: END_TOKEN,
      continuing_subword_prefix: '',
      end_of_word_suffix: '</w>',
      fuse_unk: false,
      vocab: vocabulary,
      merges,
    },
  }
}

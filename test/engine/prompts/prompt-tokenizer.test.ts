import { readFileSync } from 'node:fs'
import t from 'tap'
import { clipTokenizer } from '../../../engine/models/clip-tokenizer.ts'
import { readTokenizerFolder } from '../../../engine/models/tokenizer-folder.ts'
import { planPrompt } from '../../../engine/prompts/plan-prompt.ts'
import { createPromptTokenizer } from '../../../engine/prompts/prompt-tokenizer.ts'

interface Row {
  readonly text: string
  readonly clip: readonly number[]
  readonly small: readonly number[]
}

const START = 49406
const END = 49407
/** Line separators in a title would break the test report's lines. */
const title = (text: string) => JSON.stringify(text).replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
const rows = JSON.parse(readFileSync('test/reference/tokens/tokens.json', 'utf8')) as Row[]
const clipFiles = await clipTokenizer('<|endoftext|>', 77)
const clip = createPromptTokenizer(clipFiles)
/** A plain prompt's chunks: each is one row as it is. */
const chunksOf = (text: string, tokenizer = clip) => planPrompt(text, tokenizer).blocks.map((block) => {
  t.match(block, [{ weights: 1 }])
  return (block[0] as (typeof block)[number]).row.tokens as readonly number[]
})

t.test("ids are those of transformers' CLIPTokenizer with CLIP's own vocabulary", async (t) => {
  for (const { text, clip: ids } of rows) t.strictSame(clip.tokens(text), ids, title(text))
})

t.test("ids are those of transformers' CLIPTokenizer with a small vocabulary that pads with another token", async (t) => {
  const files = await readTokenizerFolder('test/reference/models/sd2-tiny')
  if (files === undefined) throw new Error('the reference model has no tokenizer')
  const small = createPromptTokenizer(files)
  for (const { text, small: ids } of rows) t.strictSame(small.tokens(text), ids, title(text))
})

t.test('a short prompt is one chunk of 77: start, tokens, end, padding', async (t) => {
  const [chunk, ...rest] = chunksOf('a photo of a cat') as [readonly number[]]
  t.equal(rest.length, 0)
  t.strictSame(chunk.slice(0, 8), [START, 320, 1125, 539, 320, 2368, END, END])
  t.equal(chunk.length, 77)
  t.ok(chunk.slice(6).every((id) => id === END))
})

t.test('padding is the token the model names', async (t) => {
  const padded = createPromptTokenizer({ ...clipFiles, padToken: '!' })
  const [chunk] = chunksOf('cat', padded)
  t.strictSame(chunk, [START, 2368, END, ...new Array<number>(74).fill(0)])
})

t.test('an empty prompt is one chunk without tokens', async (t) => {
  const empty = [[START, END, ...new Array<number>(75).fill(END)]]
  t.strictSame(chunksOf(''), empty)
})

t.test('75 tokens fill a chunk, one more opens the next, and none is lost', async (t) => {
  const cats = (count: number) => chunksOf('cat '.repeat(count))
  t.equal(cats(75).length, 1)
  t.strictSame(cats(76).map((chunk) => chunk.filter((id) => id === 2368).length), [75, 1])
  const long = cats(300)
  t.equal(long.length, 4)
  for (const chunk of long) t.strictSame([chunk[0], chunk[76], chunk.length], [START, END, 77])
})

t.test('a prompt of too many chunks is refused with the number', async (t) => {
  t.equal(chunksOf('cat '.repeat(4800)).length, 64)
  t.throws(() => chunksOf('cat '.repeat(4801)), { name: 'PromptError', message: /it takes 65 chunks of the text encoder; at most 64 are followed/ })
})

t.test('half a surrogate pair counts as the replacement character', async (t) => {
  t.strictSame(clip.tokens('a \ud83d b'), clip.tokens('a \ufffd b'))
})

t.test('a vocabulary without the special tokens is refused by name', async (t) => {
  const vocabulary = { a: 0, '<|startoftext|>': 1 }
  const files = { vocabulary, merges: [], padToken: '<|startoftext|>', modelMaxLength: 77 }
  t.throws(() => createPromptTokenizer(files), { message: 'the tokenizer\'s vocabulary lacks "<|endoftext|>"' })
})

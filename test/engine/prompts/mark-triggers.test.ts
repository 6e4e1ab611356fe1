import t from 'tap'
import { clipTokenizer } from '../../../engine/models/clip-tokenizer.ts'
import { findTriggers } from '../../../engine/prompts/mark-triggers.ts'
import { planPrompt } from '../../../engine/prompts/plan-prompt.ts'
import { createPromptTokenizer } from '../../../engine/prompts/prompt-tokenizer.ts'
import type { PromptEmbedding, VectorToken } from '../../../engine/prompts/prompt-token.ts'

const tokenizer = createPromptTokenizer(await clipTokenizer('<|endoftext|>', 77))

function embedding(trigger: string, count = 1): PromptEmbedding {
  const tokens = Array.from({ length: count }, (_, index): VectorToken => ({ key: `${trigger}${index}`, vector: new Float32Array(4), scale: 1 }))
  return { trigger, tokens }
}

t.test('a trigger is found in any case, as a whole word where it is one, the longest first', async (t) => {
  const embeddings = ['<cat-toy>', 'style', 'style-2', 'v1.5 (x)'].map((trigger) => embedding(trigger))
  for (const [prompt, expected] of [
    ['a <CAT-toy>, styled', [0]],
    ['a<cat-toy>b', [0]],
    ['Style, style-2; freestyle', [1, 2]],
    ['a v1.5 (x) thing', [3]],
    ['style_ style2 \ud800 cat', []],
  ] as const) t.same(findTriggers(prompt, embeddings), expected, prompt)
})

t.test('its vectors stand in its place, whatever the syntax makes of its signs', async (t) => {
  const embeddings = [embedding('v1.5 (x)', 2)]
  for (const [prompt, weighting] of [['cat v1.5 (x) cat', undefined], ['cat (v1.5 (x))1.2 cat', 'compel'], ['cat (v1.5 (x):1.2) cat', 'sdEmbeds']] as const) {
    const row = planPrompt(prompt, tokenizer, { weighting, embeddings }).blocks[0]?.[0]?.row
    t.match(row?.tokens.slice(0, 7), [49406, 2368, { key: 'v1.5 (x)0' }, { key: 'v1.5 (x)1' }, 2368, 49407, 49407], weighting ?? 'plain')
  }
})

t.test('one that is to be appended ends the prompt, or the first of its parts', async (t) => {
  const embeddings = [embedding('star')]
  const placesOf = (prompt: string, weighting?: 'compel' | 'sdEmbeds') =>
    planPrompt(prompt, tokenizer, { weighting, embeddings, appended: [0] }).blocks.map((block) => block.map(({ row }) => row.tokens.findIndex((token) => typeof token !== 'number')))
  t.same(placesOf('cat'), [[2]])
  t.same(placesOf('(cat', 'sdEmbeds'), [[2]])
  t.same(placesOf('(cat)1', 'compel'), [[2]])
  t.same(placesOf('("cat cat", "cat").and()', 'compel'), [[3], [-1]])
  t.same(placesOf('("cat cat", "cat").blend(1, 1)', 'compel'), [[3, 2]])
})

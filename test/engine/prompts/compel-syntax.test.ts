import { readFileSync } from 'node:fs'
import t from 'tap'
import { flattenCompel } from '../../../engine/prompts/flatten-compel.ts'
import type { CompelPart } from '../../../engine/prompts/flatten-compel.ts'
import { parseCompel } from '../../../engine/prompts/parse-compel.ts'

interface Row {
  readonly prompt: string
  /** What the compel package makes of it; null where it raises an error or ignores an operator. */
  readonly parts: readonly { prompts: readonly (readonly (readonly [string, number])[])[]; shares: readonly number[]; weight: number }[] | null
}

const rows = JSON.parse(readFileSync('test/reference/prompts/compel-syntax.json', 'utf8')) as readonly Row[]
const rounded = (value: number) => Number(value.toPrecision(12))
const plain = ({ prompts, shares, weight }: CompelPart) => ({
  prompts: prompts.map((texts) => texts.map((each) => [each.text, rounded(each.weight)])), shares: shares.map(rounded), weight,
})

t.test('prompts mean what the compel package says they mean', async (t) => {
  t.ok(rows.length > 300)
  for (const { prompt, parts } of rows.filter((row) => row.parts !== null && row.prompt.trim() !== '')) {
    const expected = parts?.map(({ prompts, shares, weight }) => ({
      prompts: prompts.map((texts) => texts.map(([text, value]) => [text, rounded(value)])), shares: shares.map(rounded), weight,
    }))
    t.same(flattenCompel(parseCompel(prompt)).parts.map(plain), expected, JSON.stringify(prompt))
  }
})

t.test('what the package refuses or ignores is an error that says why', async (t) => {
  for (const { prompt } of rows.filter((row) => row.parts === null)) {
    t.throws(() => flattenCompel(parseCompel(prompt)), { name: 'PromptError' }, JSON.stringify(prompt))
  }
  for (const [prompt, message] of [
    ['a cat.swap(dog)', /\.swap\(\) is not supported/],
    ['withLora(style, 0.5) a cat', /withLora\(\) is not supported; name LoRAs in the parameter lora/],
    ['("a","b").blend(1)', /\.blend\(\) has 2 prompts and 1 weights/],
    ['("a","b").blend(1,-1)', /must not add up to 0/],
    ['("a","b").blend(1,1) c', /nothing may stand behind it/],
    ['("a","b").and(one,two)', /takes a weight for each prompt, not "one"/],
    ['( )', /nothing but brackets/],
  ] as const) t.throws(() => flattenCompel(parseCompel(prompt)), { message }, prompt)
})

t.test('a hostile prompt costs a moment', async (t) => {
  const start = performance.now()
  for (const prompt of ['('.repeat(3000), '(a '.repeat(1000), '"('.repeat(1500), '(("a'.repeat(700), '(a++ '.repeat(90) + ')'.repeat(90), '(a.swap(b, '.repeat(250), '\\"'.repeat(1500) + '"']) {
    try {
      flattenCompel(parseCompel(prompt))
    } catch (error) {
      t.equal((error as Error).name, 'PromptError', prompt.slice(0, 20))
    }
  }
  t.ok(performance.now() - start < 5000)
})

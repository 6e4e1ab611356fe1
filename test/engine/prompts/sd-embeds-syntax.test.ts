import t from 'tap'
import { parseSdEmbeds } from '../../../engine/prompts/parse-sd-embeds.ts'

const meaning = (prompt: string) => parseSdEmbeds(prompt).map(({ text, weight }) => [text, Number(weight.toFixed(10))])

t.test('brackets mean what the documentation of the syntax says they mean', async (t) => {
  // The examples that the syntax is documented with.
  for (const [prompt, expected] of [
    ['normal text', [['normal text', 1]]],
    ['an (important) word', [['an ', 1], ['important', 1.1], [' word', 1]]],
    ['(unbalanced', [['unbalanced', 1.1]]],
    ['\\(literal\\]', [['(literal]', 1]]],
    ['(unnecessary)(parens)', [['unnecessaryparens', 1.1]]],
    ['a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).', [
      ['a ', 1], ['house', 1.573], [' ', 1.1], ['on', 1], [' a ', 1.1], ['hill', 0.55], [', sun, ', 1.1], ['sky', 1.4641], ['.', 1.1],
    ]],
    ['a \\\\ b', [['a \\ b', 1]]],
    ['at 10:30 [x', [['at 10:30 ', 1], ['x', 0.9090909091]]],
    ['(a:-0.5) (b:+2)', [['a', -0.5], [' ', 1], ['b', 2]]],
  ] as const) t.same(meaning(prompt), expected, prompt)
})

t.test('a weight that is no number is an error', async (t) => {
  for (const prompt of ['(a:1.2.3)', '(a:.)']) t.throws(() => parseSdEmbeds(prompt), { name: 'PromptError', message: /takes a number as its weight/ })
})

import { createHash } from 'node:crypto'
import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { clipTokenizer } from '../../../engine/models/clip-tokenizer.ts'
import { readTokenizerFolder } from '../../../engine/models/tokenizer-folder.ts'
import { referenceModel } from '../weights/single-file.ts'

const sha256 = (lines: readonly string[]): string => createHash('sha256').update(lines.join('\n')).digest('hex')

t.test("the shipped vocabulary is CLIP's", async t => {
  const { vocabulary, merges, padToken, modelMaxLength } = await clipTokenizer('!', 77)
  const tokens = Object.entries(vocabulary).sort(([, a], [, b]) => a - b)
  t.same(
    tokens.map(([, id]) => id),
    Array.from({ length: 49408 }, (_, id) => id),
    'ids have no gaps',
  )
  // Both hashes are of open_clip 3.3.0's SimpleTokenizer: its encoder in order without the two special tokens, and its merges.
  t.equal(sha256(tokens.slice(0, -2).map(([token]) => token)), 'ee7a4423aea96d705babd8004aa41e3696ffd366e5d8f3227d4fa057768d60e0')
  t.equal(sha256(merges), 'f61f2adf497e6f5357c347aeb4646fabe82f341e946de5bdec5d2858e41bef4a')
  // "a photo of a cat" is 49406, 320, 1125, 539, 320, 2368, 49407 for every CLIP tokenizer.
  const ids = ['<|startoftext|>', 'a</w>', 'photo</w>', 'of</w>', 'a</w>', 'cat</w>', '<|endoftext|>', '!'].map(token => vocabulary[token])
  t.same(ids, [49406, 320, 1125, 539, 320, 2368, 49407, 0])
  t.same([padToken, modelMaxLength], ['!', 77])
})

t.test('checkpoints without a tokenizer share one vocabulary', async t => {
  const [first, second] = await Promise.all([clipTokenizer('!', 77), clipTokenizer('<|endoftext|>', 77)])
  t.equal(first.vocabulary, second.vocabulary)
  t.equal(first.highestId, Math.max(...Object.values(first.vocabulary)))
})

t.test('a tokenizer folder is read, and its special_tokens_map decides the padding as the model was trained', async t => {
  const folder = join(t.testdir({}), 'model')
  await cp(referenceModel('sd1-tiny'), folder, { recursive: true })
  const files = await readTokenizerFolder(folder)
  t.match(files, { padToken: '<|endoftext|>', modelMaxLength: 77 })
  t.equal(Object.keys(files?.vocabulary ?? {}).length, 814)
  t.equal(files?.merges.length, 300)
  // SD 2.1's folder: the configuration says <|endoftext|>, the map says "!".
  const map = join(folder, 'tokenizer', 'special_tokens_map.json')
  await writeFile(map, '{"pad_token":"!"}')
  t.equal((await readTokenizerFolder(folder))?.padToken, '!')
  await writeFile(map, '{"pad_token":{"content":"!"}}')
  t.equal((await readTokenizerFolder(folder))?.padToken, '!')
  const config = join(folder, 'tokenizer', 'tokenizer_config.json')
  await writeFile(config, JSON.stringify({ added_tokens_decoder: {}, pad_token: '<|endoftext|>' }))
  t.equal((await readTokenizerFolder(folder))?.padToken, '<|endoftext|>', 'a newer configuration speaks for itself')
  await writeFile(map, '{"pad_token":"nobody knows it"}')
  await rm(config)
  await t.rejects(readTokenizerFolder(folder), { name: 'ModelError', message: /padding token "nobody knows it" is not in its vocabulary/ })
})

t.test('the one tokenizer.json of newer releases gives the same tables', async t => {
  const folder = join(t.testdir({}), 'model')
  await cp(referenceModel('sd1-tiny'), folder, { recursive: true })
  const expected = await readTokenizerFolder(folder)
  const tokenizer = join(folder, 'tokenizer')
  const vocab = JSON.parse(await readFile(join(tokenizer, 'vocab.json'), 'utf8')) as Record<string, number>
  await rm(join(tokenizer, 'vocab.json'))
  await rm(join(tokenizer, 'merges.txt'))
  const { '<|endoftext|>': end, ...plain } = vocab
  for (const merges of [expected?.merges, expected?.merges.map(merge => merge.split(' '))]) {
    await writeFile(
      join(tokenizer, 'tokenizer.json'),
      JSON.stringify({ model: { type: 'BPE', vocab: plain, merges }, added_tokens: [{ id: end, content: '<|endoftext|>' }] }),
    )
    t.same(await readTokenizerFolder(folder), expected)
  }
  await writeFile(join(tokenizer, 'tokenizer.json'), JSON.stringify({ model: { type: 'Unigram', vocab: [] } }))
  await t.rejects(readTokenizerFolder(folder), { message: /not a byte-pair tokenizer/ })
})

t.test("damaged tables are refused by the file's name", async t => {
  const folder = join(t.testdir({}), 'model')
  await cp(referenceModel('sd1-tiny'), folder, { recursive: true })
  await writeFile(join(folder, 'tokenizer', 'merges.txt'), '#version: 0.2\na b c\n')
  await t.rejects(readTokenizerFolder(folder), { name: 'ModelError', message: /merges.txt has the merge "a b c"/ })
  await writeFile(join(folder, 'tokenizer', 'vocab.json'), '{"a":"b"}')
  await t.rejects(readTokenizerFolder(folder), { message: /vocab.json is not a vocabulary/ })
  t.equal(await readTokenizerFolder(join(folder, 'nowhere')), undefined)
})

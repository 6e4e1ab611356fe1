import { appendFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import type { Test } from 'tap'
import { MAX_HEADER_BYTES, readSafetensors } from '../../../engine/weights/safetensors.ts'
import { DTYPE_BITS } from '../../../engine/weights/stored-tensor.ts'
import { WeightError } from '../../../engine/weights/weight-error.ts'
import { rawSafetensors, readTensors, writeSafetensors } from './safetensors-writer.ts'
import { referenceModel } from './single-file.ts'

let files = 0

/** Writes bytes to a new file of the test's folder. */
async function file(test: Test, bytes: Uint8Array, name = `${files++}.safetensors`): Promise<string> {
  const path = join(test.testdir({}), name)
  await writeFile(path, bytes)
  return path
}

const tensor = (dtype: string, shape: readonly unknown[], from: unknown, to: unknown): object => ({
  dtype,
  shape,
  data_offsets: [from, to],
})

t.test("a file that the format's own library wrote is read, each tensor where its bytes are", async t => {
  const path = join(referenceModel('sd1-tiny'), 'vae', 'diffusion_pytorch_model.safetensors')
  const { tensors, metadata } = await readSafetensors(path)
  const expected = await readTensors(path)
  t.same([...tensors.keys()].sort(), Object.keys(expected).sort())
  for (const [name, { dtype, shape, byteLength }] of tensors)
    t.same([dtype, shape, byteLength], [expected[name]?.dtype, expected[name]?.shape, expected[name]?.data.length])
  t.equal(metadata.get('format'), 'pt')
})

t.test('hostile headers are refused with the reason', async t => {
  const four = new Uint8Array(4)
  const json = (value: unknown): string => JSON.stringify(value)
  const cases: readonly (readonly [string, Uint8Array, RegExp])[] = [
    ['an empty file', new Uint8Array(), /too short/],
    ['a length alone', Buffer.alloc(8), /too short/],
    ['the largest length there is', rawSafetensors('{}', four, 2n ** 64n - 1n), /length of 18446744073709551615 bytes/],
    ['a length beyond the file', rawSafetensors('{}', four, 100n), /length of 100 bytes/],
    ['a length of nothing', rawSafetensors('{}', four, 0n), /not JSON/],
    ['no JSON', rawSafetensors('{"a": '), /not JSON/],
    ['a list', rawSafetensors('[]'), /does not start with a header/],
    [
      'bytes that are not UTF-8',
      Buffer.concat([rawSafetensors('', new Uint8Array(), 4n), Buffer.from([0x7b, 0x22, 0xff, 0x22])]),
      /not JSON/,
    ],
    [
      'a key twice',
      rawSafetensors('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', four),
      /key "a" twice/,
    ],
    [
      'a key twice in another spelling',
      rawSafetensors(
        '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\\u0061" :{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        four,
      ),
      /key "a" twice/,
    ],
    [
      'a field of a tensor twice',
      rawSafetensors('{"a":{"dtype":"F32","dtype":"F16","shape":[1],"data_offsets":[0,4]}}', four),
      /key "dtype" twice/,
    ],
    ['overlapping tensors', rawSafetensors(json({ a: tensor('U8', [3], 0, 3), b: tensor('U8', [2], 2, 4) }), four), /"b" that overlaps/],
    ['the same bytes twice', rawSafetensors(json({ a: tensor('U8', [4], 0, 4), b: tensor('U8', [4], 0, 4) }), four), /overlaps/],
    ['a hole', rawSafetensors(json({ a: tensor('U8', [1], 0, 1), b: tensor('U8', [2], 2, 4) }), four), /before the tensor "b"/],
    ['bytes after the last tensor', rawSafetensors(json({ a: tensor('U8', [3], 0, 3) }), four), /after its last tensor/],
    ['offsets beyond the file', rawSafetensors(json({ a: tensor('U8', [5], 0, 5) }), four), /outside the file/],
    ['offsets that run backwards', rawSafetensors(json({ a: tensor('U8', [0], 4, 0) }), four), /outside the file/],
    ['negative offsets', rawSafetensors(json({ a: tensor('U8', [4], -4, 0) }), four), /data_offsets/],
    ['offsets that are no numbers', rawSafetensors(json({ a: tensor('U8', [4], '0', 4) }), four), /data_offsets/],
    ['one offset', rawSafetensors(json({ a: { dtype: 'U8', shape: [4], data_offsets: [0] } }), four), /data_offsets/],
    ['a shape that needs more bytes', rawSafetensors(json({ a: tensor('F32', [2], 0, 4) }), four), /4 bytes long/],
    ['a shape that needs fewer bytes', rawSafetensors(json({ a: tensor('F16', [1], 0, 4) }), four), /4 bytes long/],
    [
      'a shape whose product overflows to the right size',
      rawSafetensors(json({ a: tensor('U8', [2 ** 32, 2 ** 32, 2 ** 32, 0.5], 0, 4) }), four),
      /whole numbers/,
    ],
    ['a product that wraps in 64 bits', rawSafetensors(json({ a: tensor('U8', [2 ** 32 + 2, 2 ** 32, 2], 0, 4) }), four), /4 bytes long/],
    ['a negative shape', rawSafetensors(json({ a: tensor('U8', [-2, -2], 0, 4) }), four), /whole numbers/],
    ['an unknown element type', rawSafetensors(json({ a: tensor('F31', [1], 0, 4) }), four), /unknown element type "F31"/],
    ['an element type named as a method', rawSafetensors(json({ a: tensor('toString', [1], 0, 4) }), four), /unknown element type/],
    ['a tensor without a description', rawSafetensors(json({ a: null }), four), /without a description/],
    ['a text that is nested', rawSafetensors(`{"a":${'['.repeat(1000)}${']'.repeat(1000)}}`), /nested deeper/],
    ['a bracket too many', rawSafetensors('{"a":{}}]]}}'), /not JSON/],
    ['a string without an end', rawSafetensors('{"a'), /not JSON/],
    ['a string that ends in a backslash', rawSafetensors('{"a\\'), /not JSON/],
    ['a key with a bad escape', rawSafetensors('{"\\x":1}'), /not JSON/],
    ['metadata that is not text', rawSafetensors('{"__metadata__":{"a":1}}'), /__metadata__/],
  ]
  for (const [title, bytes, reason] of cases) {
    const path = await file(t, bytes)
    await t.rejects(readSafetensors(path), new WeightError(), title)
    await t.rejects(readSafetensors(path), { message: reason }, title)
  }
})

t.test('a header longer than the limit is refused before it is read', async t => {
  const header = `{}${' '.repeat(MAX_HEADER_BYTES)}`
  await t.rejects(readSafetensors(await file(t, rawSafetensors(header))), { message: /more than the file or the limit/ })
  const longest = `{}${' '.repeat(MAX_HEADER_BYTES - 2)}`
  t.equal((await readSafetensors(await file(t, rawSafetensors(longest)))).tensors.size, 0)
})

t.test('the longest header of the worst kind is judged, not tripped over', async t => {
  const size = MAX_HEADER_BYTES - 100
  for (const [worst, reason] of [
    [`{"${'a'.repeat(size)}":1}`, /without a description/],
    [`{"${'\\n'.repeat(size / 2)}":1}`, /without a description/],
    [`{"a":${'['.repeat(size)}`, /nested deeper/],
    [`{"a":${'{}'.repeat(size / 2)}`, /not JSON/],
    [`{${'"'.repeat(size)}`, /not JSON/],
  ] as const)
    await t.rejects(readSafetensors(await file(t, rawSafetensors(worst))), { name: 'WeightError', message: reason })
})

t.test('pickle files are refused by their name and by their first bytes', async t => {
  const valid = rawSafetensors('{}')
  for (const extension of ['ckpt', 'pt', 'pth', 'bin', 'pkl', 'CKPT']) {
    await t.rejects(readSafetensors(await file(t, valid, `model.${extension}`)), { message: /pickle files can run code/ }, extension)
  }
  const pickle = Buffer.from('800279710a2e8002580a0000006162', 'hex')
  const zip = Buffer.concat([Buffer.from('504b0304140000000800', 'hex'), Buffer.alloc(50)])
  for (const bytes of [pickle, zip]) await t.rejects(readSafetensors(await file(t, bytes)), { message: /pickle files can run code/ })
  const target = await file(t, valid, 'hidden.ckpt')
  const link = join(t.testdirName, 'innocent.safetensors')
  await symlink(target, link)
  await t.rejects(readSafetensors(link), { message: /hidden\.ckpt is refused/ })
})

t.test('a header whose length reads like the start of a pickle is no pickle', async t => {
  const header = `{}${' '.repeat(0x280 - 2)}`
  t.equal((await readSafetensors(await file(t, rawSafetensors(header)))).tensors.size, 0)
})

t.test("a missing file is refused without its folder's name", async t => {
  const error = await readSafetensors('/secret-place/model.safetensors').catch((cause: unknown) => cause)
  t.match(error, { name: 'WeightError', message: 'model.safetensors cannot be found' })
})

t.test('empty tensors, scalars and unusable element types are read', async t => {
  const path = await writeSafetensors(join(t.testdir({}), 'odd.safetensors'), {
    empty: { dtype: 'F32', shape: [0, 5], data: new Uint8Array() },
    scalar: { dtype: 'F64', shape: [], data: new Uint8Array(8) },
    halves: { dtype: 'F4', shape: [4], data: new Uint8Array(2) },
    __proto: { dtype: 'U8', shape: [1], data: new Uint8Array(1) },
  })
  const { tensors } = await readSafetensors(path)
  t.same(
    [...tensors].map(([name, { byteLength }]) => [name, byteLength]),
    [
      ['empty', 0],
      ['scalar', 8],
      ['halves', 2],
      ['__proto', 1],
    ],
  )
})

const wholeBytes = Object.entries(DTYPE_BITS).filter(([, bits]) => bits >= 8)
const arbitraryTensors = fc.dictionary(
  fc.string({ minLength: 1 }).filter(name => name !== '__metadata__' && name !== '__proto__'),
  fc.record({ type: fc.constantFrom(...wholeBytes), shape: fc.array(fc.nat({ max: 4 }), { maxLength: 3 }) }),
  { maxKeys: 6 },
)

t.test('whatever is written by the rules is read back as it was written', async t => {
  const folder = t.testdir({})
  await fc.assert(
    fc.asyncProperty(arbitraryTensors, async layout => {
      const tensors = Object.fromEntries(
        Object.entries(layout).map(
          ([
            name,
            {
              type: [dtype, bits],
              shape,
            },
          ]) => [name, { dtype, shape, data: new Uint8Array((shape.reduce((product, dim) => product * dim, 1) * bits) / 8) }],
        ),
      )
      const found = await readSafetensors(await writeSafetensors(join(folder, 'any.safetensors'), tensors))
      t.same(
        new Map([...found.tensors].map(([name, { dtype, shape, byteLength }]) => [name, [dtype, shape, byteLength]])),
        new Map(Object.entries(tensors).map(([name, { dtype, shape, data }]) => [name, [dtype, shape, data.length]])),
      )
    }),
    { numRuns: 60 },
  )
})

t.test('a damaged file is refused, or every tensor that is read from it lies in the file', async t => {
  const folder = t.testdir({})
  const good = rawSafetensors(JSON.stringify({ a: tensor('F32', [2, 2], 0, 16), b: tensor('F16', [3], 16, 22) }), new Uint8Array(22))
  const damage = fc.array(fc.record({ at: fc.nat({ max: good.length - 1 }), byte: fc.nat({ max: 255 }) }), { minLength: 1, maxLength: 4 })
  let refused = 0
  await fc.assert(
    fc.asyncProperty(damage, async changes => {
      const bytes = Buffer.from(good)
      for (const { at, byte } of changes) bytes[at] = byte
      const path = join(folder, 'damaged.safetensors')
      await writeFile(path, bytes)
      const found = await readSafetensors(path).catch((error: unknown) => error)
      if (found instanceof WeightError) return void refused++
      if (found instanceof Error) throw found
      const { tensors } = found as Awaited<ReturnType<typeof readSafetensors>>
      for (const { offset, byteLength } of tensors.values())
        if (offset < 8 || offset + byteLength > bytes.length) throw new Error('outside the file')
    }),
    { numRuns: 400 },
  )
  t.ok(refused > 0)
})

t.test('a file cut off or lengthened anywhere is refused', async t => {
  const good = rawSafetensors(JSON.stringify({ a: tensor('F32', [2, 2], 0, 16) }), new Uint8Array(16))
  for (let length = 0; length < good.length; length++)
    await t.rejects(readSafetensors(await file(t, good.subarray(0, length), 'cut.safetensors')), new WeightError())
  const path = await file(t, good, 'long.safetensors')
  await appendFile(path, 'x')
  await t.rejects(readSafetensors(path), { message: /after its last tensor/ })
})

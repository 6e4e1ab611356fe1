import { readFileSync } from 'node:fs'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import t from 'tap'
import type { Test } from 'tap'
import { innerProperties, resolveRefs } from '../../../schemas/schema-node.ts'
import type { SchemaNode } from '../../../schemas/schema-node.ts'
import { Client, makeTask, serveReady } from '../../helpers/served.ts'
import type { Item } from '../../helpers/served.ts'
import { pictureParameters, seedB, side } from './picture-parameters.ts'

// Each parameter of imageInference by its name, through a server's process with small models: a test fails when its parameter is ignored.
// A minute on two idle cores, more where others compute too.
t.setTimeout(600_000)

/** From the compiled file's folder. */
const reference = fileURLToPath(new URL('../../../../test/reference/', import.meta.url))

/** Keeps what is sent to it. */
const uploads: Buffer[] = []
const bucket = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk) => void chunks.push(chunk as Buffer)).on('end', () => {
    uploads.push(Buffer.concat(chunks))
    response.end()
  })
})
bucket.listen(0, '127.0.0.1')
await once(bucket, 'listening')
t.teardown(() => bucket.close())
const bucketHost = `127.0.0.1:${(bucket.address() as AddressInfo).port}`

const folders = [
  'models/sd2-tiny', 'models/sdxl-tiny', 'models/sdxl-refiner-tiny', 'models/mixed-tiny/vae', 'loras', 'control-nets', 'ip-adapters',
  'prompts/embeddings', 'safety-checker/tiny',
]
const places = folders.flatMap((name) => ['--models', join(reference, name)])
const { port } = await serveReady(t, [...places, '--threads', '1', '--fetch-private-host', bucketHost])
const client = await Client.open(t, port)

async function results(choices: Item, count = 1): Promise<readonly Item[]> {
  const task = makeTask({ seed: 5, ...choices })
  client.send(task)
  return client.results(task.taskUUID, count)
}

const inline = { outputType: 'base64Data', outputFormat: 'PNG' }
const fileOf = (item: Item | undefined) => Buffer.from(String(item?.imageBase64Data), 'base64')

async function pictureOf(choices: Item) {
  const [result] = await results({ ...inline, ...choices })
  return sharp(fileOf(result)).raw().toBuffer({ resolveWithObject: true })
}

type Picture = Awaited<ReturnType<typeof pictureOf>>

/** More than float32 rounding makes of it. */
const differ = (a: Picture, b: Picture) => a.data.length !== b.data.length || a.data.some((value, i) => Math.abs(value - (b.data[i] as number)) > 1)

/** The picture that is painted around lies where the extension says, as it was. */
async function paintsAround(t: Test, field: string, edge: 'top' | 'right' | 'bottom' | 'left'): Promise<void> {
  const isTall = edge === 'top' || edge === 'bottom'
  const size = isTall ? { height: side + 64 } : { width: side + 64 }
  const { data, info } = await pictureOf({ seedImage: seedB, [field]: { [edge]: 64 }, ...size })
  const extract = { left: edge === 'left' ? 64 : 0, top: edge === 'top' ? 64 : 0, width: side, height: side }
  const inside = await sharp(data, { raw: { width: info.width, height: info.height, channels: 3 } }).extract(extract).raw().toBuffer()
  t.ok(inside.equals(await sharp(Buffer.from(seedB, 'base64')).raw().toBuffer()))
}

const isSized = async (t: Test, size: Item) => t.match((await pictureOf(size)).info, size)
const isChecked = async (t: Test, choices: Item) => t.type((await results(choices))[0]?.NSFWContent, 'boolean')
const edges = ['top', 'right', 'bottom', 'left'] as const
const extensions = ['outpaint', 'outpainting'].flatMap((field) => edges.map((edge) => [`${field}.${edge}`, (t: Test) => paintsAround(t, field, edge)] as const))
const imageFields = ['imageURL', 'imageBase64Data', 'imageDataURI']

/** The parameters that show elsewhere than in the pixels. */
const checks: Readonly<Record<string, (t: Test) => Promise<unknown>>> = {
  taskType: async (t) => {
    t.equal((await results({}))[0]?.taskType, 'imageInference')
    const other = makeTask({ taskType: 'imageCaption' })
    client.send(other)
    t.match(await client.error(other.taskUUID), { code: 'unsupportedTaskType', taskType: 'imageCaption' })
  },
  taskUUID: async (t) => {
    const task = makeTask()
    client.send(task)
    t.equal((await client.results(task.taskUUID))[0]?.taskUUID, task.taskUUID)
    client.send(task)
    t.match(await client.error(task.taskUUID), { code: 'conflictTaskUUID' })
  },
  width: async (t) => {
    await isSized(t, { width: 192, height: 128 })
    await isSized(t, { width: 256, height: 128 })
  },
  height: async (t) => {
    await isSized(t, { width: 128, height: 192 })
    await isSized(t, { width: 128, height: 256 })
  },
  ...Object.fromEntries(extensions),
  numberResults: async (t) => {
    const three = await results({ numberResults: 3 }, 3)
    t.same(three.map((item) => item.seed).sort(), [5, 6, 7])
    const task = makeTask()
    client.send(task, makeTask({ taskUUID: `after ${task.taskUUID}` }))
    await client.results(`after ${task.taskUUID}`)
    t.equal((await client.results(task.taskUUID)).length, 1)
  },
  outputType: async (t) => {
    const given = async (outputType?: unknown) => {
      const [item] = await results({ outputType })
      return imageFields.filter((field) => item?.[field] !== undefined)
    }
    t.same(await given(), ['imageURL'])
    for (const [outputType, field] of [['URL', 'imageURL'], ['base64Data', 'imageBase64Data'], ['dataURI', 'imageDataURI']] as const) t.same(await given(outputType), [field])
    t.same(await given(['dataURI', 'base64Data']), ['imageBase64Data', 'imageDataURI'])
  },
  outputFormat: async (t) => {
    const formatOf = async (outputFormat?: string) => (await sharp(fileOf((await results({ ...inline, outputFormat }))[0])).metadata()).format
    for (const [outputFormat, format] of [[undefined, 'jpeg'], ['JPG', 'jpeg'], ['PNG', 'png'], ['WEBP', 'webp']] as const) t.equal(await formatOf(outputFormat), format)
  },
  outputQuality: async (t) => {
    for (const outputFormat of ['JPG', 'WEBP']) {
      const lengthOf = async (outputQuality?: number) => fileOf((await results({ ...inline, outputFormat, outputQuality }))[0]).length
      const [low, middle, high] = [await lengthOf(20), await lengthOf(60), await lengthOf(99)]
      t.ok(low < middle && middle < high, `${outputFormat}: ${low}, ${middle} and ${high} bytes`)
      t.equal(await lengthOf(), await lengthOf(95))
    }
  },
  deliveryMethod: async (t) => {
    const task = makeTask({ deliveryMethod: 'async' })
    client.send(task)
    t.notOk('imageUUID' in ((await client.results(task.taskUUID))[0] ?? {}), 'acknowledged before there is a picture')
    t.ok('imageUUID' in ((await client.results(task.taskUUID, 2))[1] ?? {}))
    t.ok('imageUUID' in ((await results({ deliveryMethod: 'sync' }))[0] ?? {}))
  },
  ttl: async (t) => {
    const secondsLeft = async (ttl?: number) => {
      const response = await fetch(String((await results({ ttl }))[0]?.imageURL))
      await response.arrayBuffer()
      return Number(/max-age=(\d+)/.exec(response.headers.get('cache-control') ?? '')?.[1])
    }
    const [minute, hours, unsaid] = [await secondsLeft(60), await secondsLeft(10_000), await secondsLeft()]
    t.ok(minute <= 60 && hours > 60 && hours <= 10_000 && unsaid !== minute && unsaid !== hours, `${minute}, ${hours} and ${unsaid} seconds`)
  },
  includeCost: async (t) => {
    t.type((await results({ includeCost: true }))[0]?.cost, 'number')
    for (const choices of [{}, { includeCost: false }]) t.notOk('cost' in ((await results(choices))[0] ?? {}))
  },
  checkNSFW: async (t) => {
    await isChecked(t, { checkNSFW: true })
    for (const choices of [{}, { checkNSFW: false }]) t.notOk('NSFWContent' in ((await results(choices))[0] ?? {}))
  },
  'safety.checkContent': async (t) => {
    await isChecked(t, { safety: { checkContent: true } })
    t.notOk('NSFWContent' in ((await results({ safety: { checkContent: false } }))[0] ?? {}))
  },
  uploadEndpoint: async (t) => {
    const [item] = await results({ ...inline, uploadEndpoint: `http://${bucketHost}/picture.png` })
    t.equal(uploads.length, 1)
    t.ok(uploads[0]?.equals(fileOf(item)), 'the picture that is delivered')
  },
}

/** The places of a schema's parameters; an object is tested by what is in it, a list also as one of several. */
function placesOf(node: SchemaNode, prefix = ''): readonly string[] {
  return Object.entries(innerProperties(node) ?? {}).flatMap(([name, child]) => {
    const path = prefix + name
    return [...(child.properties ? [] : [path]), ...placesOf(child, child.items ? `${path}[].` : `${path}.`)]
  })
}

const readSchema = (name: string) => JSON.parse(readFileSync(`schemas/${name}`, 'utf8')) as SchemaNode
const parameters = placesOf(resolveRefs(readSchema('tasks/image-inference.json'), readSchema('common.json')))

await t.test('every parameter of the schema has a test, and no test lacks its parameter', async (t) => {
  t.same([...Object.keys(pictureParameters), ...Object.keys(checks)].sort(), [...parameters].sort())
})

for (const parameter of parameters) {
  await t.test(parameter, async (t) => {
    await checks[parameter]?.(t)
    const { base = {}, distinct = [], same = [] } = pictureParameters[parameter] ?? {}
    // At once, so that they share runs; a choice that is in both lists is computed once.
    const drawings = new Map<string, Promise<Picture>>()
    for (const choices of [...distinct, ...same]) {
      const key = JSON.stringify(choices)
      if (!drawings.has(key)) drawings.set(key, pictureOf({ ...base, ...choices }))
    }
    const drawnFrom = (choices: Item | undefined) => drawings.get(JSON.stringify(choices)) as Promise<Picture>
    const pictures = await Promise.all(distinct.map(drawnFrom))
    for (const [i, picture] of pictures.entries()) t.ok(pictures.slice(0, i).every((other) => differ(other, picture)), shown(distinct[i]))
    for (const choices of same.slice(1)) t.notOk(differ(await drawnFrom(same[0]), await drawnFrom(choices)), `${shown(choices)} is ${shown(same[0])}`)
  })
}

/** A task's choices as a title: pictures are long. */
function shown(choices: Item | undefined): string {
  return JSON.stringify(choices, (_, value: unknown) => (typeof value === 'string' && value.length > 100 ? '(a picture)' : value))
}

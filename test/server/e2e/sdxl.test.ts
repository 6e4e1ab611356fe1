import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import t from 'tap'
import { Client, makeTask, serveReady } from '../../helpers/served.ts'

/** Compiled tests lie three folders below the output folder. */
const referenceModel = (name: string): string => fileURLToPath(new URL(`../../../../test/reference/models/${name}`, import.meta.url))

t.test('a server with an SDXL checkpoint', async t => {
  const { port } = await serveReady(t, ['--models', referenceModel('sdxl-tiny'), '--models', referenceModel('sdxl-refiner-tiny')])
  const client = await Client.open(t, port)
  const pixelsOf = async (choices: Readonly<Record<string, unknown>>): Promise<Buffer> => {
    const task = makeTask({ model: 'local:sdxl-tiny@1', seed: 5, outputFormat: 'PNG', width: undefined, height: undefined, ...choices })
    client.send(task)
    const [result] = await client.results(task.taskUUID)
    const { data, info } = await sharp(await (await fetch(String(result?.imageURL))).arrayBuffer()).raw().toBuffer({ resolveWithObject: true })
    t.match(info, { width: 128, height: 128, channels: 3 }, 'at the size the model was trained at')
    return data
  }

  t.test('gives pictures, which the prompts and clipSkip change', async t => {
    const pictures = [await pixelsOf({}), await pixelsOf({ positivePrompt: 'a blue house' }), await pixelsOf({ negativePrompt: 'people' }), await pixelsOf({ clipSkip: 1 })]
    t.equal(new Set(pictures.map(pixels => pixels.toString('base64'))).size, pictures.length)
    t.ok((await pixelsOf({})).equals(pictures[0] as Buffer), 'the same request, the same picture')
  })

  t.test('lets a refiner take the last steps over, from the step that is asked for', async t => {
    const model = 'local:sdxl-refiner-tiny@1'
    const pictures = [await pixelsOf({ steps: 6 })]
    for (const refiner of [{ model, startStep: 3 }, { model, startStep: 5 }]) pictures.push(await pixelsOf({ steps: 6, refiner }))
    t.equal(new Set(pictures.map(pixels => pixels.toString('base64'))).size, pictures.length)
    t.ok((await pixelsOf({ steps: 6, refiner: { model, startStepPercentage: 60 } })).equals(pictures[2] as Buffer), 'three fifths of six steps, rounded up')
    const task = makeTask({ refiner: { model } })
    client.send(task)
    t.match(await client.error(task.taskUUID), { parameter: 'refiner.model', code: 'invalidRefiner' }, 'not for another family')
  })
})

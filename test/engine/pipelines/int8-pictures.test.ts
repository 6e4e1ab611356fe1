import { join } from 'node:path'
import t from 'tap'
import type { RunReport } from '../../../engine/engine.ts'
import { openRegistry } from '../../../engine/models/registry.ts'
import { controlNetPictures, controlNetRegistry } from './control-net-pictures.ts'
import { compare, referenceEngine, referencePictures, shareOfPixels, titleOf } from './reference-pictures.ts'

// Some seconds on two idle cores, more where others compute too.
t.setTimeout(180_000)

const never = new AbortController().signal

t.test('in int8, pictures with LoRAs, under a ControlNet and plain ones are the same alone and in one batch', async t => {
  const loras = (await referencePictures('lora-pictures')).slice(1, 3).map(({ request, image }) => {
    const uses = request.loras?.map(({ model, weight }) => ({ model: `local:${model}@1`, weight })) ?? []
    return { image, request: { ...request, id: `lora ${request.id}`, loras: uses } }
  })
  const pictures = [...(await referencePictures()).slice(0, 2), ...loras, ...(await controlNetPictures()).slice(0, 1)]
  const runs: RunReport[] = []
  const engine = await referenceEngine({ registry: await controlNetRegistry('loras'), precision: 'int8', onRun: run => runs.push(run) })
  t.teardown(() => engine.stop())
  const alone = []
  for (const { request } of pictures) alone.push(await engine.generate(request, never))
  runs.length = 0
  const together = await Promise.all(pictures.map(({ request }) => engine.generate({ ...request, owner: 'one' }, never)))
  t.ok(runs.some(({ stage, generations }) => stage === 'denoise' && generations.length > 2), 'they share runs')
  for (const [index, picture] of pictures.entries()) {
    const { shareWithinOne, largest } = compare(together[index]!, alone[index]!)
    t.ok(shareWithinOne >= shareOfPixels, `${titleOf(picture)} (${shareWithinOne.toFixed(4)}, ${largest})`)
    t.ok(compare(alone[index]!, picture.image).shareWithinOne < 0.9, 'and are not those without rounding, which networks of random weights make far more of')
  }
})

t.test('a trained model makes the same pictures in int8, but for little at edges', async t => {
  const registry = await openRegistry([join(process.cwd(), 'models')])
  const model = registry.models.find(({ type }) => type === 'checkpoint')?.air as string
  const generate = async (precision: 'default' | 'int8') => {
    const engine = await referenceEngine({ registry, precision })
    const images = await Promise.all(['a red circle', 'a blue square', 'a yellow heart'].map((prompt, seed) => engine.generate({
      id: prompt, owner: 'one', model, prompt, negativePrompt: '', width: 128, height: 128, totalSteps: 12,
      noiseScheduler: 'Default', guidanceScale: 5, clipSkip: 0, seed,
    }, never)))
    await engine.stop()
    return images
  }
  const [plain, rounded] = [await generate('default'), await generate('int8')]
  for (const [index, { data }] of rounded.entries()) {
    const differences = data.map((value, at) => Math.abs(value - (plain[index]!.data[at] as number)))
    const mean = differences.reduce((sum, each) => sum + each, 0) / data.length
    const share = differences.filter(each => each > 16).length / data.length
    t.ok(mean > 0 && mean < 3, `${mean.toFixed(2)} of 255 in the mean`)
    t.ok(share < 0.05, `${(100 * share).toFixed(2)} % of the values off by more than 16`)
  }
})

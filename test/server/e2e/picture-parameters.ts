import sharp from 'sharp'
import type { Item } from '../../helpers/served.ts'

/** What shows that a parameter is not ignored: tasks that differ in it alone, and what their pictures must be to each other. */
export interface PictureCase {
  /** What every task of the case has beside the parameter. */
  readonly base?: Item
  /** Each of these gives another picture than all the others. */
  readonly distinct: readonly Item[]
  /** All of these give one picture: the default and what stands for it. */
  readonly same?: readonly Item[]
}

/** The models of the server that the cases are for, all of them small. */
const models = {
  checkpoint: 'local:sd1-tiny@1', sd2: 'local:sd2-tiny@1', sdxl: 'local:sdxl-tiny@1', refiner: 'local:sdxl-refiner-tiny@1', vae: 'local:vae@1',
  loraA: 'local:sd1-tiny-kohya@1', loraB: 'local:sd1-tiny-peft@1', star: 'local:star@1', word: 'local:word@1',
  edges: 'local:sd1-tiny-edges@1', depth: 'local:sd1-tiny-depth@1', plain: 'local:sd1-plain@1', plus: 'local:sd1-plus@1',
}

/** Side of most pictures. */
export const side = 128

/** Base64 of a PNG whose samples are the values of a function of the place. */
export async function drawn(channels: 1 | 3, value: (x: number, y: number, channel: number) => number): Promise<string> {
  const sample = (_: unknown, i: number) => value(Math.floor(i / channels) % side, Math.floor(i / channels / side), i % channels)
  const raw = { width: side, height: side, channels }
  return (await sharp(Buffer.from(Array.from({ length: side * side * channels }, sample)), { raw }).png().toBuffer()).toString('base64')
}

/** Two pictures, and masks of their left half, their upper half and a spot in the middle. */
export const seedA = await drawn(3, (x, _, channel) => (x < 64 ? 30 : 80 * channel + 40))
export const seedB = await drawn(3, (x, y, channel) => (x * 2 + y * channel) % 256)
const leftMask = await drawn(1, (x) => (x < 64 ? 255 : 0))
const upperMask = await drawn(1, (_, y) => (y < 64 ? 255 : 0))
const spotMask = await drawn(1, (x, y) => (Math.hypot(x - 64, y - 64) < 8 ? 255 : 0))

const lora = (...uses: Item[]): Item => ({ lora: uses })
const embeddings = (...uses: Item[]): Item => ({ embeddings: uses })
const ipAdapters = (...uses: Item[]): Item => ({ ipAdapters: uses })
const edges = { model: models.edges, guideImage: seedA }
const plain = { model: models.plain, guideImage: seedA }
/** A ControlNet in tasks of four steps, with more said of it in each. */
const control = (...choices: Item[]): readonly Item[] => choices.map((choice) => ({ steps: 4, controlNet: [{ ...edges, ...choice }] }))
const refined = (...choices: Item[]): readonly Item[] => choices.map((choice) => ({ refiner: { model: models.refiner, ...choice } }))
const ofSdxl = { model: models.sdxl, steps: 5 }
const ofSeedA = { seedImage: seedA, strength: 0.6, steps: 5 }
const weighted = { positivePrompt: 'a (red:1.6) cup++' }

/** Every parameter that a picture depends on, by its place in a task. */
export const pictureParameters: Readonly<Record<string, PictureCase>> = {
  positivePrompt: { distinct: [{ positivePrompt: 'a red cup' }, { positivePrompt: 'two blue houses on grass' }, { positivePrompt: '__BLANK__' }] },
  negativePrompt: { distinct: [{}, { negativePrompt: 'people' }, { negativePrompt: 'snow, night' }], same: [{}, { negativePrompt: '' }] },
  model: { distinct: [{ model: models.checkpoint }, { model: models.sd2 }, { model: models.sdxl }] },
  vae: { distinct: [{}, { vae: models.vae }], same: [{}, { vae: '' }] },
  lora: { distinct: [{}, lora({ model: models.loraA }), lora({ model: models.loraA }, { model: models.loraB })], same: [{}, lora()] },
  'lora[].model': { distinct: [lora({ model: models.loraA }), lora({ model: models.loraB })] },
  'lora[].weight': {
    distinct: [-4, 0, 0.5, 1, 4].map((weight) => lora({ model: models.loraA, weight })),
    same: [lora({ model: models.loraA }), lora({ model: models.loraA, weight: 1 })],
  },
  seedImage: { base: { strength: 0.6, steps: 5 }, distinct: [{ strength: undefined }, { seedImage: seedA }, { seedImage: seedB }] },
  'inputs.seedImage': {
    base: { steps: 5 },
    distinct: [{}, { inputs: { seedImage: seedA } }, { inputs: { seedImage: seedB } }],
    same: [{ seedImage: seedA }, { inputs: { seedImage: seedA } }],
  },
  strength: {
    base: { seedImage: seedA, steps: 5 }, distinct: [0, 0.4, 0.8, 1].map((strength) => ({ strength })), same: [{}, { strength: 0.8 }],
  },
  maskImage: { base: ofSeedA, distinct: [{}, { maskImage: leftMask }, { maskImage: upperMask }] },
  'inputs.maskImage': {
    base: ofSeedA,
    distinct: [{}, { inputs: { maskImage: leftMask } }, { inputs: { maskImage: upperMask } }],
    same: [{ maskImage: leftMask }, { inputs: { maskImage: leftMask } }],
  },
  maskMargin: { base: { ...ofSeedA, maskImage: spotMask }, distinct: [{}, { maskMargin: 32 }, { maskMargin: 44 }] },
  'outpaint.blur': {
    base: { seedImage: seedB, width: 192 },
    distinct: [0, 8, 32].map((blur) => ({ outpaint: { right: 64, blur } })),
    same: [{ outpaint: { right: 64 } }, { outpaint: { right: 64, blur: 0 } }],
  },
  'outpainting.blur': { base: { seedImage: seedB, width: 192 }, distinct: [0, 8, 32].map((blur) => ({ outpainting: { right: 64, blur } })) },
  steps: { base: { CFGScale: 1 }, distinct: [{ steps: 1 }, { steps: 3 }, { steps: 20 }], same: [{ steps: undefined }, { steps: 20 }] },
  scheduler: {
    base: { steps: 5 },
    distinct: ['Euler', 'Euler A', 'DPM++ 2M Karras'].map((scheduler) => ({ scheduler })), same: [{}, { scheduler: 'Default' }],
  },
  seed: { distinct: [{ seed: 1 }, { seed: 2 }, { seed: 2 ** 32 - 1 }], same: [{ seed: 7 }, { seed: 7 }] },
  CFGScale: { distinct: [1, 3.5, 7, 30].map((CFGScale) => ({ CFGScale })), same: [{}, { CFGScale: 7 }] },
  clipSkip: { distinct: [0, 1, 2].map((clipSkip) => ({ clipSkip })), same: [{}, { clipSkip: 0 }] },
  ipAdapters: {
    distinct: [ipAdapters(), ipAdapters(plain), ipAdapters(plain, { ...plain, guideImage: seedB }), ipAdapters(plain, { ...plain, model: models.plus })],
  },
  'ipAdapters[].model': { distinct: [ipAdapters(plain), ipAdapters({ ...plain, model: models.plus })] },
  'ipAdapters[].guideImage': { distinct: [ipAdapters(plain), ipAdapters({ ...plain, guideImage: seedB })] },
  'ipAdapters[].weight': {
    distinct: [0, 0.5, 1].map((weight) => ipAdapters({ ...plain, weight })), same: [ipAdapters(plain), ipAdapters({ ...plain, weight: 1 })],
  },
  // A checkpoint that refines itself goes on as it would have.
  'refiner.model': {
    base: ofSdxl,
    distinct: [{}, { refiner: { model: models.refiner, startStep: 2 } }], same: [{}, { refiner: { model: models.sdxl, startStep: 2 } }],
  },
  'refiner.startStep': { base: ofSdxl, distinct: refined({ startStep: 2 }, { startStep: 4 }, { startStep: 5 }) },
  'refiner.startStepPercentage': {
    base: ofSdxl,
    distinct: refined({ startStepPercentage: 20 }, { startStepPercentage: 60 }, { startStepPercentage: 80 }), same: refined({}, { startStepPercentage: 80 }),
  },
  promptWeighting: {
    base: weighted,
    distinct: [{}, { promptWeighting: 'compel' }, { promptWeighting: 'sdEmbeds' }], same: [{ promptWeighting: 'compel' }, { promptWeighting: 'COMPEL' }],
  },
  embeddings: { distinct: [embeddings(), embeddings({ model: models.star }), embeddings({ model: models.star }, { model: models.word })] },
  'embeddings[].model': { distinct: [embeddings({ model: models.star }), embeddings({ model: models.word })] },
  'embeddings[].weight': {
    distinct: [-4, 0, 0.5, 1, 4].map((weight) => embeddings({ model: models.star, weight })),
    same: [embeddings({ model: models.star }), embeddings({ model: models.star, weight: 1 })],
  },
  controlNet: { distinct: [{}, { controlNet: [edges] }, { controlNet: [edges, { ...edges, model: models.depth }] }], same: [{}, { controlNet: [] }] },
  'controlNet[].model': { distinct: control({}, { model: models.depth }) },
  'controlNet[].guideImage': { distinct: control({}, { guideImage: seedB }) },
  'controlNet[].weight': { distinct: control({ weight: 0 }, { weight: 0.4 }, { weight: 1 }), same: control({}, { weight: 1 }) },
  'controlNet[].startStep': { distinct: control({ startStep: 1 }, { startStep: 2 }, { startStep: 4 }), same: control({}, { startStep: 1 }) },
  'controlNet[].startStepPercentage': {
    distinct: control({ startStepPercentage: 0 }, { startStepPercentage: 30 }, { startStepPercentage: 60 }), same: control({}, { startStepPercentage: 0 }),
  },
  'controlNet[].endStep': { distinct: control({ endStep: 2 }, { endStep: 3 }, { endStep: 4 }), same: control({}, { endStep: 4 }) },
  'controlNet[].endStepPercentage': {
    distinct: control({ endStepPercentage: 25 }, { endStepPercentage: 50 }, { endStepPercentage: 100 }), same: control({}, { endStepPercentage: 100 }),
  },
  'controlNet[].controlMode': {
    distinct: control({ controlMode: 'prompt' }, { controlMode: 'balanced' }, { controlMode: 'controlnet' }),
    same: control({}, { controlMode: 'balanced' }, { controlMode: 'Balanced' }),
  },
}

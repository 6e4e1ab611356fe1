import { EngineError } from '../engine-error.ts'
import { clipPixels } from '../images/clip-pixels.ts'
import type { LoadedSafetyChecker } from '../models/loaded-model.ts'
import type { NetworkRunner } from './network-runner.ts'
import { outputData } from './output-data.ts'
import type { UncheckedPicture } from './pipeline.ts'

const CHANNELS = 3

/**
 * Whether each picture shows sensitive content, as one safety checker judges them all; at most `maxRows` in one run.
 * Throws an EngineError when one cannot be judged.
 */
export async function checkContent(pictures: readonly UncheckedPicture[], maxRows: number, runNetwork: NetworkRunner): Promise<readonly boolean[]> {
  const verdicts: boolean[] = []
  for (let from = 0; from < pictures.length; from += maxRows) {
    verdicts.push(...(await judge(pictures.slice(from, from + maxRows), runNetwork)))
  }
  return verdicts
}

async function judge(pictures: readonly UncheckedPicture[], runNetwork: NetworkRunner): Promise<readonly boolean[]> {
  const { session, settings, imageSize } = (pictures[0] as UncheckedPicture).parts.safetyChecker as LoadedSafetyChecker
  const rows = pictures.length
  const length = CHANNELS * imageSize ** 2
  const data = new Float32Array(rows * length)
  pictures.forEach(({ image }, row) => data.set(clipPixels(image, settings), row * length))
  const feeds = { pixel_values: { dtype: 'float32', dims: [rows, CHANNELS, imageSize, imageSize], data } } as const
  const generations = pictures.map(({ request }) => request.id)
  const outputs = await runNetwork(session, feeds, { stage: 'checkContent', rows, generations })
  return Array.from(outputData(outputs, 'flag', 'float32', rows), flag => {
    if (Number.isNaN(flag)) throw new EngineError('inferenceError', 'the safety checker cannot judge the picture')
    return flag > 0
  })
}

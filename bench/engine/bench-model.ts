import { existsSync } from 'node:fs'
import { mkdir, statfs } from 'node:fs/promises'
import { freemem } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { ModelType, openRegistry } from '../../engine/index.ts'
import type { ModelRegistry } from '../../engine/index.ts'
import { packageRoot } from '../../server/cli/package-root.ts'
import type { BenchContext } from '../bench-context.ts'
import { SkippedError } from '../bench-context.ts'
import { isMade, makeModel } from '../model-maker/make-model.ts'
import { makeParts } from '../model-maker/make-parts.ts'
import type { PublishedSize } from '../model-maker/make-model.ts'
import type { WeightFill } from '../model-maker/random-weights.ts'

/** A model to measure with. */
export interface BenchModel {
  /** As `--models` takes them. */
  readonly places: readonly string[]
  readonly air: string
  readonly path: string
  readonly registry: ModelRegistry
}

/** A model of a published size: what its file takes, and what serving it on the processor does. */
interface MadeModel {
  readonly size: PublishedSize
  readonly fill: WeightFill
  readonly diskGiB: number
  readonly memoryGiB: number
}

const made: Readonly<Record<string, MadeModel>> = {
  sd15: { size: 'sd15', fill: 'fp32', diskGiB: 4.2, memoryGiB: 6 },
  'sd15-fp16': { size: 'sd15', fill: 'fp16', diskGiB: 2.1, memoryGiB: 6 },
  sd21: { size: 'sd21', fill: 'fp32', diskGiB: 5, memoryGiB: 7 },
  'sd21-fp16': { size: 'sd21', fill: 'fp16', diskGiB: 2.5, memoryGiB: 7 },
}

/** LoRAs of random weights that `bundled-parts` offers beside the bundled model. */
const loraCount = 8
const loraRank = 8

/** Finds a scenario's model; what is to be made is made at its first use. Skips the scenario where there is no room for it. */
export async function benchModel(name: string, { progress }: Pick<BenchContext, 'progress'>): Promise<BenchModel> {
  const places = await placesOf(name, what => progress(0, 1, `making ${what}`))
  const registry = await openRegistry(places)
  const spec = registry.models.find(({ type }) => type === ModelType.checkpoint)
  if (!spec) throw new SkippedError(`${places.join(', ')} holds no checkpoint${registry.broken.map(({ reason }) => `: ${reason}`).join('')}`)
  return { places, air: spec.air, path: spec.path, registry }
}

async function placesOf(name: string, onMaking: (what: string) => void): Promise<readonly string[]> {
  const bundled = join(packageRoot(), 'models')
  if (name === 'bundled') return [bundled]
  const folder = join(packageRoot(), 'bench/models', name)
  if (name === 'bundled-parts') {
    if (!existsSync(folder)) await make(folder, 0.1, onMaking, () => makeParts(folder, join(bundled, 'latentd-tiny'), loraCount, loraRank))
    return [bundled, folder]
  }
  const wanted = Object.hasOwn(made, name) ? made[name] : undefined
  if (!wanted) return [name]
  if (freemem() < wanted.memoryGiB * 2 ** 30) throw new SkippedError(`${name} needs ${wanted.memoryGiB} GiB of free memory`)
  if (!(await isMade(folder))) await make(folder, wanted.diskGiB, onMaking, () => makeModel(folder, wanted.size, wanted.fill))
  return [folder]
}

async function make(folder: string, diskGiB: number, onMaking: (what: string) => void, write: () => Promise<void>): Promise<void> {
  await mkdir(dirname(folder), { recursive: true })
  const { bavail, bsize } = await statfs(dirname(folder))
  if (bavail * bsize < diskGiB * 1.2 * 2 ** 30) throw new SkippedError(`${basename(folder)} needs ${diskGiB} GiB on the disk`)
  onMaking(basename(folder))
  await write()
}

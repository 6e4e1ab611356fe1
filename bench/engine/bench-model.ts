import { existsSync } from 'node:fs'
import { mkdir, statfs } from 'node:fs/promises'
import { freemem } from 'node:os'
import { join } from 'node:path'
import { ModelType, openRegistry } from '../../engine/index.ts'
import type { ModelRegistry } from '../../engine/index.ts'
import { packageRoot } from '../../server/cli/package-root.ts'
import type { BenchContext } from '../bench-context.ts'
import { SkippedError } from '../bench-context.ts'
import { makeModel } from '../model-maker/make-model.ts'
import type { PublishedSize } from '../model-maker/make-model.ts'
import type { WeightFill } from '../model-maker/random-weights.ts'

/** A model to measure with. */
export interface BenchModel {
  /** As `--models` takes it. */
  readonly folder: string
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

/** Finds a scenario's model; one of a published size is made at its first use. Skips the scenario where there is no room for it. */
export async function benchModel(name: string, { progress }: Pick<BenchContext, 'progress'>): Promise<BenchModel> {
  const wanted = Object.hasOwn(made, name) ? made[name] : undefined
  const folder = wanted ? join(packageRoot(), 'bench/models', name) : name === 'bundled' ? join(packageRoot(), 'models') : name
  if (wanted) {
    if (freemem() < wanted.memoryGiB * 2 ** 30) throw new SkippedError(`${name} needs ${wanted.memoryGiB} GiB of free memory`)
    if (!existsSync(folder)) {
      progress(0, 1, `making ${name}`)
      await make(folder, wanted)
    }
  }
  const registry = await openRegistry([folder])
  const spec = registry.models.find(({ type }) => type === ModelType.checkpoint)
  if (!spec) throw new SkippedError(`${folder} holds no checkpoint`)
  return { folder, air: spec.air, path: spec.path, registry }
}

async function make(folder: string, { size, fill, diskGiB }: MadeModel): Promise<void> {
  const above = join(packageRoot(), 'bench/models')
  await mkdir(above, { recursive: true })
  const { bavail, bsize } = await statfs(above)
  if (bavail * bsize < diskGiB * 1.2 * 2 ** 30) throw new SkippedError(`a model of this size needs ${diskGiB} GiB on the disk`)
  await makeModel(folder, size, fill)
}

import { stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { refusePickleName } from '../weights/pickle.ts'
import { readSafetensors } from '../weights/safetensors.ts'
import { airKey, derivedAir, isAir } from './air.ts'
import { compileCheckpoint } from './compile-checkpoint.ts'
import { compileControlNet } from './compile-control-net.ts'
import { openEmbedding } from './embedding-file.ts'
import { fileKind } from './file-kind.ts'
import { fixedRegistry } from './fixed-registry.ts'
import { folderKind } from './folder-kind.ts'
import { findEntries } from './find-entries.ts'
import type { FoundEntry } from './find-entries.ts'
import { insideFolder } from './inside-folder.ts'
import { familyOfIpAdapter } from './image-prompt-model.ts'
import { openLora } from './lora-layers.ts'
import { ModelError } from './model-error.ts'
import { modelFailure } from './model-failure.ts'
import { ModelType } from './model-spec.ts'
import type { BrokenModel, ModelDefaults, ModelRegistry, ModelSpec } from './model-spec.ts'
import { openCheckpoint } from './open-checkpoint.ts'
import { openControlNet } from './open-control-net.ts'
import { safetyCheckerModel } from './safety-checker-model.ts'
import { assignSafetyCheckers, ownSafetyChecker } from './safety-checkers.ts'
import { takesMask } from './takes-mask.ts'
import { vaeModel } from './vae-model.ts'

/** Types of which an entry may be a folder, beside checkpoints. */
const FOLDER_TYPES: readonly ModelType[] = [ModelType.vae, ModelType.safetyChecker, ModelType.controlNet]
/** Types whose single files a configuration may describe. */
const DESCRIBED_TYPES: readonly ModelType[] = [ModelType.checkpoint, ModelType.vae, ModelType.controlNet, ModelType.ipAdapter]

/**
 * Looks through the models folders (each may also be one diffusers folder, or one `.safetensors` file) and opens what they
 * offer, headers and configurations only. A model that cannot be used is listed as broken with the reason, and does not
 * harm the others; of two models with the same identifier the first one counts.
 *
 * A default noise scheduler whose name `isNoiseScheduler` does not know makes a model broken: each of its tasks would fail.
 *
 * Throws a ModelError when a folder is not there: that is a mistake in the command, not in a model.
 */
export async function openRegistry(folders: readonly string[], isNoiseScheduler: (name: string) => boolean = () => true): Promise<ModelRegistry> {
  const models = new Map<string, ModelSpec>()
  const broken: BrokenModel[] = []
  const taken = new Set<string>()
  for (const folder of folders) {
    const { entries, invalid } = await findEntries(resolve(folder))
    broken.push(...invalid)
    const waiting = [...entries]
    for (let entry = waiting.shift(); entry !== undefined; entry = waiting.shift()) {
      const air = entry.declared?.air ?? derivedAir(entry.fileName, candidate => taken.has(airKey(candidate)))
      if (taken.has(airKey(air))) {
        const left = entry.path === '.' ? entry.fileName : entry.path
        broken.push({ air, reason: `its identifier is taken by another model; ${JSON.stringify(left)} is left out` })
        continue
      }
      taken.add(airKey(air))
      try {
        const model = await describeModel(entry, air)
        const { scheduler } = model.defaults
        if (scheduler !== undefined && !isNoiseScheduler(scheduler)) throw new ModelError(`its default "scheduler" ${JSON.stringify(scheduler)} is no noise scheduler's name`)
        const twin = entry.declared ? undefined : [...models.values()].find(({ path }) => path === model.path)
        if (twin) throw new ModelError(`it is offered already, as ${twin.air}`)
        models.set(airKey(air), model)
        waiting.unshift(...(await ownSafetyChecker(entry, model)))
      } catch (error) {
        const reason = modelFailure(error)
        if (reason === undefined) throw error
        broken.push({ air, reason })
      }
    }
  }
  return fixedRegistry({ models: [...assignSafetyCheckers(models).values()], broken })
}

async function describeModel({ folder, path, fileName, declared }: FoundEntry, air: string): Promise<ModelSpec> {
  if (!isAir(air)) throw new ModelError('its identifier is not of the form source:id@version')
  refusePickleName(basename(path))
  const real = await insideFolder(folder, path)
  const type = declared?.type ?? (await kindOf(real, fileName))
  const config = declared?.config
  if (config !== undefined && !DESCRIBED_TYPES.includes(type)) throw new ModelError(`"config" is not for a ${type}`)
  const configPath = config === undefined ? undefined : await insideFolder(folder, config)
  const name = declared?.name ?? fileName.replace(/\.safetensors$/i, '')
  const place = { path: real, ...(configPath !== undefined && { configPath }) }
  if (type !== ModelType.checkpoint) {
    const part = { air, type, name, ...place, defaults: Object.freeze({ ...declared?.defaults }) }
    return Object.freeze({ ...part, ...(await describePart(part)) })
  }
  const checkpoint = await openCheckpoint(real, configPath)
  const { family, configs } = checkpoint
  // Only compiling shows whether every tensor is there and used; it takes milliseconds and reads no weights.
  compileCheckpoint(checkpoint, 'cpu')
  const defaults = Object.freeze({ ...trainedSize(configs.unet['sample_size'], configs.vae['block_out_channels']), ...declared?.defaults })
  return Object.freeze({ air, type, name, family, ...place, noiseSchedule: checkpoint.noiseSchedule, ...(takesMask(configs) && { takesMask: true }), defaults })
}

/** The picture size a model was trained at: the UNet's latents, each of which stands for a square of pixels. */
function trainedSize(sampleSize: unknown, vaeBlocks: unknown): ModelDefaults {
  if (!Number.isInteger(sampleSize) || !Array.isArray(vaeBlocks)) return {}
  const side = Number(sampleSize) * 2 ** (vaeBlocks.length - 1)
  return side % 64 === 0 ? { width: side, height: side } : {}
}

async function kindOf(path: string, fileName: string): Promise<ModelType> {
  if ((await stat(path)).isDirectory()) return folderKind(path)
  const kind = fileKind((await readSafetensors(path)).tensors)
  if (!kind) throw new ModelError(`${fileName} holds no weights of a kind that is known`)
  return kind
}

/** What requests use beside a checkpoint: its names must fit its type, and a network must compile. Gives what that tells of it. */
async function describePart(spec: ModelSpec): Promise<Pick<ModelSpec, 'family'>> {
  const { type, path, configPath } = spec
  const isFolder = (await stat(path)).isDirectory()
  if (!isFolder) {
    const kind = fileKind((await readSafetensors(path)).tensors)
    if (kind !== undefined && kind !== type) throw new ModelError(`its file is a ${kind}, not a ${type}`)
  } else if (!FOLDER_TYPES.includes(type)) {
    throw new ModelError(`a ${type} is one .safetensors file, not a folder`)
  }
  if (type === ModelType.vae) await vaeModel(spec, undefined, 'cpu')
  if (type === ModelType.lora) await openLora(path)
  if (type === ModelType.safetyChecker) {
    if (!isFolder) throw new ModelError(`a ${type} is a folder with config.json and model.safetensors, not a file`)
    await safetyCheckerModel(spec, 'cpu')
  }
  if (type === ModelType.embedding) await openEmbedding(path)
  if (type === ModelType.ipAdapter) {
    const family = await familyOfIpAdapter(spec)
    return family === undefined ? {} : { family }
  }
  if (type !== ModelType.controlNet) return {}
  const controlNet = await openControlNet(path, configPath)
  compileControlNet(controlNet, 'cpu')
  return { family: controlNet.family }
}

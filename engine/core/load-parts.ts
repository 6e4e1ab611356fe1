import { EngineError } from '../engine-error.ts'
import type { Held, LoadedModel, LoadedParts, ModelLoader, PartType, TextEmbedding } from '../models/loaded-model.ts'
import type { LoraPart, RequestParts } from '../pipelines/pipeline.ts'
import { ModelError } from '../models/model-error.ts'
import type { DecodedRequest } from './generation-request.ts'

/**
 * Loads what a request uses beside its checkpoint, which it holds; all of it is held until `release` is called.
 * Throws an EngineError that names the field of what cannot be used, and holds nothing then.
 */
export async function loadParts(loader: ModelLoader, base: LoadedModel, request: DecodedRequest): Promise<Held<RequestParts>> {
  const holds: Held<unknown>[] = []
  const airs: string[] = []
  const use = async <T extends PartType>(field: string, type: T, air: string): Promise<LoadedParts[T]> => {
    const held = await named(field, loader.usePart(type, air, base, airs))
    holds.push(held)
    airs.push(air)
    return held.part
  }
  const release = (): void => holds.forEach(held => held.release())
  try {
    const vae = request.vae === undefined ? undefined : await use('vae', 'vae', request.vae)
    const refiner = request.refiner && (await use('refiner', 'checkpoint', request.refiner.model))
    const loras: LoraPart[] = []
    for (const [index, { model: air, weight }] of (request.loras ?? []).entries()) {
      loras.push({ air, weight, lora: await use(`loras[${index}].model`, 'lora', air) })
    }
    const embeddings: TextEmbedding[] = []
    for (const [index, { model: air }] of (request.embeddings ?? []).entries()) embeddings.push(await use(`embeddings[${index}].model`, 'embedding', air))
    const safetyChecker = request.checkContent ? await use('checkContent', 'safetyChecker', safetyCheckerOf(base)) : undefined
    const lists = { ...(loras.length > 0 && { loras }), ...(embeddings.length > 0 && { embeddings }) }
    return { part: { ...(vae && { vae }), ...(refiner && { refiner }), ...lists, ...(safetyChecker && { safetyChecker }) }, release }
  } catch (error) {
    release()
    throw error
  }
}

function safetyCheckerOf({ spec }: LoadedModel): string {
  if (spec.safetyChecker !== undefined) return spec.safetyChecker
  throw new EngineError('invalidParameter', `checkContent: there is no safety checker for ${spec.air}`, { parameter: 'checkContent' })
}

async function named<T>(parameter: string, part: Promise<T>): Promise<T> {
  try {
    return await part
  } catch (cause) {
    if (cause instanceof ModelError) throw new EngineError('invalidParameter', `${parameter}: ${cause.message}`, { parameter, cause })
    throw cause
  }
}

import { EngineError } from '../engine-error.ts'
import { airKey } from '../models/air.ts'
import type { Held, LoadedModel, LoadedParts, ModelLoader, PartType, TextEmbedding } from '../models/loaded-model.ts'
import type { ImagePromptPart, LoraPart, RequestParts, SteeredUnet } from '../pipelines/pipeline.ts'
import { ModelError } from '../models/model-error.ts'
import type { DecodedRequest } from './generation-request.ts'

type Uses = readonly { readonly model: string }[]

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
    const imagePrompts: ImagePromptPart[] = []
    for (const [index, { model: air }] of (request.ipAdapters ?? []).entries()) {
      const field = `ipAdapters[${index}].model`
      const encoder = await named(field, loader.useImageEncoder(air, base, airs))
      holds.push(encoder)
      airs.push(encoder.part.air)
      imagePrompts.push({ encoder: encoder.part, adapter: await use(field, 'ipAdapter', air) })
    }
    const safetyChecker = request.checkContent ? await use('checkContent', 'safetyChecker', safetyCheckerOf(base)) : undefined
    // The largest part comes last, when it is known what it has to fit beside.
    const steered = (request.controlNets ?? request.ipAdapters) && (await loadSteeredUnet(loader, base, request, airs))
    if (steered) holds.push(steered)
    const lists = { ...(loras.length > 0 && { loras }), ...(embeddings.length > 0 && { embeddings }), ...(imagePrompts.length > 0 && { imagePrompts }) }
    const networks = { ...(vae && { vae }), ...(refiner && { refiner }), ...(safetyChecker && { safetyChecker }), ...(steered && { steered: steered.part }) }
    return { part: { ...networks, ...lists }, release }
  } catch (error) {
    release()
    throw error
  }
}

/** The same ControlNets and IP-Adapters in any order are one graph, so that their rows share runs. */
async function loadSteeredUnet(
  loader: ModelLoader, base: LoadedModel, { controlNets = [], ipAdapters = [] }: DecodedRequest, beside: readonly string[],
): Promise<Held<SteeredUnet>> {
  const [controlNetUses, ipAdapterUses] = [sortedPlaces(controlNets), sortedPlaces(ipAdapters)]
  const airsOf = (uses: Uses, places: readonly number[]) => places.map((place) => airAt(uses, place))
  try {
    const airs = { controlNets: airsOf(controlNets, controlNetUses), ipAdapters: airsOf(ipAdapters, ipAdapterUses) }
    const { part, release } = await loader.useSteeredUnet(airs, base, beside)
    return { part: { ...part, controlNetUses, ipAdapterUses }, release }
  } catch (cause) {
    if (!(cause instanceof ModelError)) throw cause
    const fields = [['controlNets', controlNets, controlNetUses], ['ipAdapters', ipAdapters, ipAdapterUses]] as const
    const paths = fields.flatMap(([field, uses, places]) => places.filter((place) => airAt(uses, place) === airKey(cause.air ?? '')).map((place) => `${field}[${place}].model`))
    const [parameter = controlNets.length > 0 ? 'controlNets' : 'ipAdapters'] = paths
    throw new EngineError('invalidParameter', `${parameter}: ${cause.message}`, { parameter, cause })
  }
}

function sortedPlaces(uses: Uses): readonly number[] {
  return [...uses.keys()].sort((a, b) => compare(airAt(uses, a), airAt(uses, b)))
}

function safetyCheckerOf({ spec }: LoadedModel): string {
  if (spec.safetyChecker !== undefined) return spec.safetyChecker
  throw new EngineError('invalidParameter', `checkContent: there is no safety checker for ${spec.air}`, { parameter: 'checkContent' })
}

function airAt(uses: Uses, place: number): string {
  return airKey(uses[place]?.model ?? '')
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}

async function named<T>(parameter: string, part: Promise<T>): Promise<T> {
  try {
    return await part
  } catch (cause) {
    if (cause instanceof ModelError) throw new EngineError('invalidParameter', `${parameter}: ${cause.message}`, { parameter, cause })
    throw cause
  }
}

import { EngineError } from '../engine-error.ts'
import { airKey } from '../models/air.ts'
import type { Held, LoadedImagePrompt, LoadedModel, LoadedParts, ModelLoader, PartType, TextEmbedding } from '../models/loaded-model.ts'
import type { GuidedUnet, LoraPart, RequestControl, RequestParts } from '../pipelines/pipeline.ts'
import { ModelError } from '../models/model-error.ts'
import type { DecodedRequest } from './generation-request.ts'

type Uses = NonNullable<DecodedRequest['controlNets']>

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
    const imagePrompts: LoadedImagePrompt[] = []
    for (const [index, { model: air }] of (request.ipAdapters ?? []).entries()) imagePrompts.push(await use(`ipAdapters[${index}].model`, 'ipAdapter', air))
    const safetyChecker = request.checkContent ? await use('checkContent', 'safetyChecker', safetyCheckerOf(base)) : undefined
    // The largest parts come last, when it is known what it has to fit beside.
    const control = request.controlNets && (await loadControl(loader, base, request.controlNets, airs))
    if (control) holds.push(control)
    const lists = { ...(loras.length > 0 && { loras }), ...(embeddings.length > 0 && { embeddings }) }
    const guided = request.ipAdapters && (await loadGuidedUnet(loader, base, request, airs))
    if (guided) holds.push(guided)
    const networks = { ...(vae && { vae }), ...(refiner && { refiner }), ...(safetyChecker && { safetyChecker }), ...(control && { control: control.part }) }
    return { part: { ...networks, ...lists, ...(guided && { imagePrompts, guided: guided.part }) }, release }
  } catch (error) {
    release()
    throw error
  }
}

/** The same IP-Adapters in any order are one graph, so that their rows share runs. */
async function loadGuidedUnet(
  loader: ModelLoader, base: LoadedModel, { ipAdapters = [], controlNets }: DecodedRequest, beside: readonly string[],
): Promise<Held<GuidedUnet>> {
  if (controlNets !== undefined) throw new EngineError('invalidParameter', 'ipAdapters: they do not work beside ControlNets yet', { parameter: 'ipAdapters' })
  const ipAdapterUses = [...ipAdapters.keys()].sort((a, b) => compare(airAt(ipAdapters, a), airAt(ipAdapters, b)))
  try {
    const { part, release } = await loader.useGuidedUnet(ipAdapterUses.map((place) => airAt(ipAdapters, place)), base, beside)
    return { part: { ...part, ipAdapterUses }, release }
  } catch (cause) {
    if (!(cause instanceof ModelError)) throw cause
    const place = ipAdapterUses.find((each) => airAt(ipAdapters, each) === airKey(cause.air ?? ''))
    const parameter = place === undefined ? 'ipAdapters' : `ipAdapters[${place}].model`
    throw new EngineError('invalidParameter', `${parameter}: ${cause.message}`, { parameter, cause })
  }
}

function safetyCheckerOf({ spec }: LoadedModel): string {
  if (spec.safetyChecker !== undefined) return spec.safetyChecker
  throw new EngineError('invalidParameter', `checkContent: there is no safety checker for ${spec.air}`, { parameter: 'checkContent' })
}

/** The same ControlNets in any order are one graph, so that their rows share runs. */
async function loadControl(
  loader: ModelLoader, base: LoadedModel, requested: Uses, beside: readonly string[],
): Promise<Held<RequestControl>> {
  const uses = [...requested.keys()].sort((a, b) => compare(airAt(requested, a), airAt(requested, b)))
  try {
    const { part, release } = await loader.useControlNets(uses.map((place) => airAt(requested, place)), base, beside)
    return { part: { ...part, uses }, release }
  } catch (cause) {
    if (!(cause instanceof ModelError)) throw cause
    const place = uses.find((each) => airAt(requested, each) === airKey(cause.air ?? ''))
    const parameter = place === undefined ? 'controlNets' : `controlNets[${place}].model`
    throw new EngineError('invalidParameter', `${parameter}: ${cause.message}`, { parameter, cause })
  }
}

function airAt(uses: readonly { readonly model: string }[], place: number): string {
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

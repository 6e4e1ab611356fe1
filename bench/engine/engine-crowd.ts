import { randomUUID } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { createEngine, probeDevices, resolveDevices } from '../../engine/index.ts'
import type { Device, Engine, EngineOptions, GenerationRequest } from '../../engine/index.ts'
import { SkippedError } from '../bench-context.ts'
import type { BenchModel } from './bench-model.ts'

/** Noise schedulers that take turns, so that no two neighbours are stepped by the same one. */
const noiseSchedulers = ['Euler', 'Euler a', 'DDIM', 'DPM++ 2M Karras']

/** The device that `--device` names; skips the scenario where it cannot be used. */
export async function benchDevice(name: string): Promise<Device> {
  const { devices } = await resolveDevices(name, probeDevices).catch((cause: Error) => { throw new SkippedError(cause.message) })
  return devices[0] as Device
}

/** Opens an engine as a worker would. */
export async function openBenchEngine({ registry }: BenchModel, device: Device, maxRows: number, more: Pick<EngineOptions, 'onRun' | 'precision'> = {}): Promise<Engine> {
  return await createEngine({
    registry, device, threads: availableParallelism(), weightsBudgetBytes: Number.MAX_SAFE_INTEGER, maxRows, maxCells: Number.MAX_SAFE_INTEGER, ...more,
  })
}

/** A request without pictures, which every layer of the engine takes. */
export type TextRequest = GenerationRequest<never>

/** What a picture is asked for by; the rest is the same for all. */
export type PictureShape = Pick<GenerationRequest, 'width' | 'height' | 'totalSteps'>

/** Requests that fill so many rows of a run: pictures with guidance take two, and one without takes the last. */
export function crowdOf(rows: number, model: string, shape: PictureShape): readonly TextRequest[] {
  const guided = Array.from({ length: rows >> 1 }, (_, index) => requestOf(index, model, shape, 7.5))
  return rows % 2 === 0 ? guided : [...guided, requestOf(guided.length, model, shape, 1)]
}

/** One request; `index` tells it from others. */
export function requestOf(index: number, model: string, shape: PictureShape, guidanceScale: number): TextRequest {
  return {
    id: randomUUID(), owner: `owner ${index % 10}`, model, ...shape,
    prompt: `a red cup on a wooden table, number ${index}`,
    negativePrompt: guidanceScale > 1 ? 'blurry' : '',
    noiseScheduler: noiseSchedulers[index % noiseSchedulers.length] as string,
    guidanceScale, clipSkip: 0, seed: index,
  }
}

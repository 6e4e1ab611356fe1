import { hasGuidance } from '../pipelines/has-guidance.ts'
import type { Pipeline } from '../pipelines/pipeline.ts'
import { steeredUnetOf } from '../pipelines/steered-unet.ts'
import type { Generation } from './generation.ts'

/** A generation whose model is loaded. */
export type ReadyGeneration = Generation & { readonly pipeline: Pipeline }

/**
 * What must be equal for rows to share a run: the model, the latent size, and what steers the UNet now: the
 * ControlNets and the IP-Adapters in its graph.
 * Prompts, timesteps, step counts, guidance and noise schedulers are row data and never part of it.
 *
 * Rows without ControlNets do not run beside those with them, although a scale of 0 would leave their pictures as they are: a
 * ControlNet costs each row two fifths more. For the same reason rows leave its runs in steps where it has no say.
 */
export function batchKeyOf(generation: ReadyGeneration): string {
  const steered = steeredUnetOf(generation.parts, generation.state)
  if (steered === undefined) return sizeKeyOf(generation)
  return [sizeKeyOf(generation), ...[...steered.controlNets, ...steered.ipAdapters].map(({ air }) => air)].join(' ')
}

function sizeKeyOf({ pipeline, request }: ReadyGeneration): string {
  const { width, height } = pipeline.latentSize(request)
  return `${pipeline.model} ${width}x${height}`
}

/** What must be equal for latents to share a run of the VAE: which of them it is, too. */
export function decodeKeyOf(generation: ReadyGeneration): string {
  const { vae } = generation.request
  return vae === undefined ? sizeKeyOf(generation) : `${sizeKeyOf(generation)} ${vae.toLowerCase()}`
}

/** What must be equal for pictures to share a run of a safety checker; their sizes differ. */
export function checkKeyOf({ parts }: ReadyGeneration): string {
  return parts.safetyChecker?.air ?? ''
}

/** Rows a generation takes in a UNet run: guidance needs the prediction for the negative prompt too. */
export function rowsOf({ request }: Generation): number {
  return hasGuidance(request) ? 2 : 1
}

/**
 * Latent cells at which attention costs as much as everything else: SD 1.5 spends an eighth of a 64x64 step on the
 * part that grows with the square of the size.
 */
const attentionBalanceCells = 30_000

/**
 * Cost of one step of a generation in units that are proportional to FLOPs: weights, times cells, plus attention.
 * A whole number, so that equal work adds up to equal sums.
 */
export function stepCost(generation: ReadyGeneration, rows: number): number {
  return costOf(generation, rows * (steeredUnetOf(generation.parts, generation.state)?.relativeCost ?? 1))
}

function costOf(generation: ReadyGeneration, rows: number): number {
  const { pipeline } = generation
  const cells = cellsOf(generation)
  return Math.round(rows * Math.round(pipeline.costPerUnit * cells * (1 + cells / attentionBalanceCells)))
}

/** Latent cells of a generation's picture. */
export function cellsOf({ pipeline, request }: ReadyGeneration): number {
  const { width, height } = pipeline.latentSize(request)
  return width * height
}

/** A VAE decode of SD 1.5 costs about as much as three rows of its UNet, an encode half of that. */
export const decodeCostInRows = 3
export const encodeImageCostInRows = 1.5

/** Cost of encoding a generation's picture, in the units of `stepCost`. */
export function encodeImageCost(generation: ReadyGeneration): number {
  return stepCost(generation, encodeImageCostInRows)
}

/** Cost of decoding a generation's latents, in the units of `stepCost`. */
export function decodeCost(generation: ReadyGeneration): number {
  return costOf(generation, decodeCostInRows)
}

/** A VAE's memory grows with the picture: two of 512x512 or eight of 256x256 at once. */
const maxVaeCells = 8192

/** Most pictures of a generation's size in one VAE run. */
export function imageRowCap(generation: ReadyGeneration): number {
  return Math.max(1, Math.floor(maxVaeCells / cellsOf(generation)))
}

/** A safety checker costs about as much as SD 1.5's UNet for a quarter of a row of 64x64, whatever the picture's size. */
export const checkCostInCells = 1024

/** Cost of checking a picture, in the units of `stepCost`. */
export function checkCost({ pipeline }: ReadyGeneration): number {
  return Math.round(pipeline.costPerUnit * checkCostInCells)
}

/** What is left to do for a generation until its picture is there, in the units of `stepCost`. */
export function costLeft(generation: ReadyGeneration): number {
  return costFrom(generation, generation.stepsDone)
}

/** What a generation costs from its first step on, in the units of `stepCost`. */
export function wholeCost(generation: ReadyGeneration): number {
  return costFrom(generation, 0)
}

function costFrom(generation: ReadyGeneration, stepsDone: number): number {
  return (generation.totalSteps - stepsDone) * stepCost(generation, rowsOf(generation)) + decodeCost(generation)
}

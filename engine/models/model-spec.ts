import type { NoiseScheduleConfig } from '../schedulers/noise-scheduler.ts'

/** Kinds of entry a models folder can offer. */
export const ModelType = {
  checkpoint: 'checkpoint',
  lora: 'lora',
  controlNet: 'controlnet',
  vae: 'vae',
  embedding: 'embedding',
  ipAdapter: 'ipAdapter',
  safetyChecker: 'safetyChecker',
} as const
export type ModelType = (typeof ModelType)[keyof typeof ModelType]

/** Architectures the engine can compile. */
export type ModelFamily = 'sd1' | 'sd2' | 'sdxl' | 'sdxlRefiner'

/** Values a request takes from its model where it says nothing itself. */
export interface ModelDefaults {
  readonly steps?: number
  readonly CFGScale?: number
  readonly scheduler?: string
  readonly width?: number
  readonly height?: number
}

/** One usable entry of the registry. */
export interface ModelSpec {
  /** Runware identifier, `source:id@version`. */
  readonly air: string
  readonly type: ModelType
  readonly name: string
  /** Known for checkpoints, and for ControlNets that of the checkpoints they are for. */
  readonly family?: ModelFamily
  /** Absolute path of the folder or file. */
  readonly path: string
  /** Absolute path of a diffusers folder without weights that describes a single-file checkpoint. */
  readonly configPath?: string
  /** For a checkpoint: AIR of the safety checker that judges its pictures, its own or the first one offered. */
  readonly safetyChecker?: string
  /** For a checkpoint: the noise schedule it was trained with. */
  readonly noiseSchedule?: NoiseScheduleConfig
  /** True for a checkpoint that was trained for inpainting. */
  readonly takesMask?: boolean
  readonly defaults: ModelDefaults
}

/** An entry that cannot be used, and why, in one sentence for people. */
export interface BrokenModel {
  readonly air: string
  readonly reason: string
}

/** What the models folders offer. Immutable once opened. */
export interface ModelRegistry {
  readonly models: readonly ModelSpec[]
  readonly broken: readonly BrokenModel[]
  /** Looks an AIR up; the spelling's case does not matter. */
  find(air: string): ModelSpec | undefined
}

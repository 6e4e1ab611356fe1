/** What the network predicts; names as in the papers. */
export type PredictionType = 'epsilon' | 'vPrediction' | 'sample'

/**
 * The trained noise schedule of a model, from its `scheduler_config.json`.
 * Field names follow diffusers, in camel case.
 */
export interface NoiseScheduleConfig {
  /** diffusers class the model was published with, for the name `Default`. */
  readonly className: string
  readonly numTrainTimesteps: number
  readonly betaStart: number
  readonly betaEnd: number
  readonly betaSchedule: 'linear' | 'scaled_linear' | 'squaredcos_cap_v2'
  readonly trainedBetas?: readonly number[]
  readonly predictionType: PredictionType
  readonly timestepSpacing?: 'linspace' | 'leading' | 'trailing'
  readonly stepsOffset: number
  readonly rescaleBetasZeroSnr: boolean
  /** Everything else the file says (set_alpha_to_one, skip_prk_steps, use_karras_sigmas, algorithm_type …), by its own key. */
  readonly extra: Readonly<Record<string, unknown>>
}

/** Standard normal numbers of one generation, in the order PyTorch's CPU generator would give them. */
export interface NoiseSource {
  /** Draws `count` numbers as one `torch.randn` call of that many elements would. */
  next(count: number): Float32Array
}

/**
 * A diffusion algorithm: how a noisy sample becomes a picture over several model evaluations.
 * It holds no state of any run, so one object serves every generation.
 */
export interface NoiseScheduler {
  readonly name: string
  /**
   * Starts a run of `totalSteps` steps on a model's noise schedule. Throws a RangeError for a step count the algorithm
   * cannot do, a NoiseScheduleError for a noise schedule it cannot follow.
   * @param firstStep steps left out at the noisy end, for a run that begins with a picture; all of them at most. @default 0
   */
  createRun(config: NoiseScheduleConfig, totalSteps: number, firstStep?: number): NoiseSchedulerRun
}

/** One generation's way through a noise schedule; it owns the multistep history, so runs never disturb each other. */
export interface NoiseSchedulerRun {
  /** Timestep of each model evaluation, in order; second-order algorithms evaluate more often than `totalSteps`. */
  readonly timesteps: readonly number[]
  /** What standard normal noise is multiplied with to become the first sample. */
  readonly initNoiseSigma: number
  /** The sample that evaluation `evaluation` begins with, of latents and standard normal noise that are known: both, weighted. */
  addNoise(latents: Float32Array, noise: Float32Array, evaluation: number): Float32Array
  /** Writes the network's input for evaluation `evaluation` into `out` (same length as `sample`). */
  scaleModelInput(sample: Float32Array, evaluation: number, out: Float32Array): void
  /**
   * Takes the network's (guided) output for evaluation `evaluation` and returns the next sample.
   * Evaluations come in order, each once. May return a new array or `sample` itself, overwritten.
   * A run may keep `sample` until the next evaluation, so the caller never writes to it; `modelOutput` is not kept.
   */
  step(modelOutput: Float32Array, evaluation: number, sample: Float32Array, noise: NoiseSource): Float32Array
}

import { createDdimRun } from './ddim.ts'
import { createDdpmRun } from './ddpm.ts'
import { createDeisRun } from './deis.ts'
import { createDpm2AncestralRun } from './dpm2-ancestral.ts'
import { createDpm2Run } from './dpm2.ts'
import { createDpmMultistepRun } from './dpm-multistep.ts'
import { createDpmSdeRun } from './dpm-sde.ts'
import { createEulerAncestralRun } from './euler-ancestral.ts'
import { createEulerRun } from './euler.ts'
import { createHeunRun } from './heun.ts'
import { createLcmRun } from './lcm.ts'
import { createLmsRun } from './lms.ts'
import { NoiseScheduleError } from './noise-schedule-error.ts'
import type { NoiseScheduleConfig, NoiseScheduler, NoiseSchedulerRun } from './noise-scheduler.ts'
import { createPndmRun } from './pndm.ts'
import { skipEvaluations } from './skip-evaluations.ts'
import { createUnipcRun } from './unipc.ts'

type CreateRun = (config: NoiseScheduleConfig, totalSteps: number, firstStep?: number) => NoiseSchedulerRun

/** One algorithm and what it is called. */
interface Entry {
  /** The name user interfaces show. */
  readonly name: string
  /** Further names of the same thing. */
  readonly aliases?: readonly string[]
  readonly createRun: CreateRun
  /** Keys that the name fixes, whatever the model's scheduler_config.json says. */
  readonly settings?: Readonly<Record<string, unknown>>
  /** True where the algorithm also takes Karras, exponential and beta sigmas. */
  readonly spreads: boolean
}

/** An algorithm that takes one evaluation a step. */
const firstOrder = (createRun: CreateRun): CreateRun => (config, totalSteps, firstStep = 0) => skipEvaluations(createRun(config, totalSteps), firstStep)

/** An algorithm that takes two, but one for the last step. */
const secondOrder = (createRun: CreateRun): CreateRun => (config, totalSteps, firstStep = 0) => skipEvaluations(createRun(config, totalSteps), 2 * firstStep)

const SDE = { algorithm_type: 'sde-dpmsolver++' }
const ODE = { algorithm_type: 'dpmsolver++' }

/** Algorithms by the names of user interfaces. */
const ENTRIES: readonly Entry[] = [
  { name: 'Euler', createRun: firstOrder(createEulerRun), spreads: true },
  { name: 'Euler a', aliases: ['Euler Ancestral'], createRun: firstOrder(createEulerAncestralRun), spreads: false },
  { name: 'DDIM', createRun: firstOrder(createDdimRun), spreads: false },
  { name: 'DDPM', createRun: firstOrder(createDdpmRun), spreads: false },
  { name: 'PNDM', createRun: createPndmRun, spreads: false },
  { name: 'PLMS', createRun: createPndmRun, settings: { skip_prk_steps: true }, spreads: false },
  { name: 'LMS', createRun: firstOrder(createLmsRun), spreads: true },
  { name: 'Heun', createRun: secondOrder(createHeunRun), spreads: true },
  { name: 'DPM2', aliases: ['KDPM2'], createRun: secondOrder(createDpm2Run), spreads: true },
  { name: 'DPM2 a', aliases: ['KDPM2 a', 'DPM2 Ancestral'], createRun: secondOrder(createDpm2AncestralRun), spreads: true },
  { name: 'DPM++ 2M', aliases: ['DPM++'], createRun: firstOrder(createDpmMultistepRun), settings: { ...ODE, solver_order: 2 }, spreads: true },
  { name: 'DPM++ 2M SDE', createRun: firstOrder(createDpmMultistepRun), settings: { ...SDE, solver_order: 2 }, spreads: true },
  { name: 'DPM++ 3M', createRun: firstOrder(createDpmMultistepRun), settings: { ...ODE, solver_order: 3 }, spreads: true },
  { name: 'DPM++ 3M SDE', createRun: firstOrder(createDpmMultistepRun), settings: { ...SDE, solver_order: 3 }, spreads: true },
  { name: 'DPM++ SDE', createRun: secondOrder(createDpmSdeRun), spreads: true },
  { name: 'UniPC', createRun: firstOrder(createUnipcRun), spreads: true },
  { name: 'DEIS', createRun: firstOrder(createDeisRun), spreads: true },
  { name: 'LCM', createRun: firstOrder(createLcmRun), spreads: false },
]

/** Algorithms by their diffusers classes: what `Class.from_config(model's config)` gives, nothing fixed. */
const CLASSES: Readonly<Record<string, CreateRun>> = {
  EulerDiscreteScheduler: firstOrder(createEulerRun),
  EulerAncestralDiscreteScheduler: firstOrder(createEulerAncestralRun),
  DDIMScheduler: firstOrder(createDdimRun),
  DDPMScheduler: firstOrder(createDdpmRun),
  PNDMScheduler: createPndmRun,
  LMSDiscreteScheduler: firstOrder(createLmsRun),
  HeunDiscreteScheduler: secondOrder(createHeunRun),
  KDPM2DiscreteScheduler: secondOrder(createDpm2Run),
  KDPM2AncestralDiscreteScheduler: secondOrder(createDpm2AncestralRun),
  DPMSolverMultistepScheduler: firstOrder(createDpmMultistepRun),
  DPMSolverSDEScheduler: secondOrder(createDpmSdeRun),
  UniPCMultistepScheduler: firstOrder(createUnipcRun),
  DEISMultistepScheduler: firstOrder(createDeisRun),
  LCMScheduler: firstOrder(createLcmRun),
}

/** How the sigmas of a run may be spread, by the word that follows an algorithm's name. */
const SPREADS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  Karras: spread('use_karras_sigmas'),
  Exponential: spread('use_exponential_sigmas'),
  Beta: spread('use_beta_sigmas'),
}

const DEFAULT_SCHEDULER: NoiseScheduler = { name: 'Default', createRun: createDefaultRun }

const SCHEDULERS = [DEFAULT_SCHEDULER, ...ENTRIES.flatMap((entry) => schedulersOf(entry)), ...Object.entries(CLASSES).map(classScheduler)]

const BY_KEY: ReadonlyMap<string, NoiseScheduler> = new Map([
  ...ENTRIES.flatMap((entry) => (entry.aliases ?? []).flatMap((alias) => schedulersOf(entry, alias))).map(byKey),
  ...SCHEDULERS.map(byKey),
])

const BY_NAME: ReadonlyMap<string, NoiseScheduler> = new Map(SCHEDULERS.map((scheduler) => [scheduler.name, scheduler]))

/** Names to show to people; `resolveNoiseScheduler` takes each of them, and some aliases. */
export const noiseSchedulerNames: readonly string[] = SCHEDULERS.map((scheduler) => scheduler.name)

/** Finds an algorithm by a user interface's name or a diffusers class name; case and spacing do not matter. */
export function resolveNoiseScheduler(name: string): NoiseScheduler | undefined {
  return BY_NAME.get(name) ?? BY_KEY.get(keyOf(name))
}

function schedulersOf(entry: Entry, base = entry.name): NoiseScheduler[] {
  const plain = { name: base, createRun: withSettings(entry, entry.settings ?? {}) }
  if (!entry.spreads) return [plain]
  const spreads = Object.entries(SPREADS).map(([word, settings]) => ({
    name: `${base} ${word}`,
    createRun: withSettings(entry, { ...entry.settings, ...settings }),
  }))
  return [plain, ...spreads]
}

function withSettings(entry: Entry, settings: Readonly<Record<string, unknown>>): NoiseScheduler['createRun'] {
  return (config, totalSteps, firstStep) => entry.createRun({ ...config, extra: { ...config.extra, ...settings } }, totalSteps, firstStep)
}

function classScheduler([name, createRun]: [string, CreateRun]): NoiseScheduler {
  return { name, createRun }
}

function createDefaultRun(config: NoiseScheduleConfig, totalSteps: number, firstStep?: number): NoiseSchedulerRun {
  if (!Object.hasOwn(CLASSES, config.className)) {
    throw new NoiseScheduleError(`_class_name: ${config.className} is not a noise scheduler known here; name another one`)
  }
  return CLASSES[config.className](config, totalSteps, firstStep)
}

function spread(key: string): Readonly<Record<string, unknown>> {
  const off = { use_karras_sigmas: false, use_exponential_sigmas: false, use_beta_sigmas: false, use_lu_lambdas: false }
  return { ...off, [key]: true }
}

function byKey(scheduler: NoiseScheduler): [string, NoiseScheduler] {
  return [keyOf(scheduler.name), scheduler]
}

function keyOf(name: string): string {
  return name.trim().replace(/\s+/g, ' ').toLowerCase()
}

import { existsSync, writeFileSync } from 'node:fs'
import { EngineError, ModelError } from '../../../engine/index.ts'
import type { Engine, GeneratedImage, GenerationRequest, RgbImage, RunReport } from '../../../engine/index.ts'

/** What a fake engine tells its test. */
export interface FakeEngineHooks {
  readonly onStart?: (request: GenerationRequest) => void
  readonly onEnd?: (request: GenerationRequest) => void
  readonly onRun?: (report: RunReport) => void
}

/** An engine whose behaviour is in the prompt; see `commands`. */
export class FakeEngine implements Engine {
  readonly device = { type: 'cpu' } as const
  readonly #hooks: FakeEngineHooks
  #size = 0

  constructor(hooks: FakeEngineHooks = {}) {
    this.#hooks = hooks
  }

  get size(): number {
    return this.#size
  }

  async generate(request: GenerationRequest, signal: AbortSignal): Promise<GeneratedImage> {
    this.#size++
    this.#hooks.onStart?.(request)
    this.#hooks.onRun?.({ stage: 'encodePrompt', model: request.model, rows: 1, generations: [request.id], durationMs: 1 })
    try {
      const [name = '', argument = ''] = request.prompt.split(' ')
      await commands[name]?.(argument, request, signal)
      for (let step = 0; step < request.totalSteps; step++) {
        await new Promise(resolve => setImmediate(resolve))
        signal.throwIfAborted()
        this.#hooks.onRun?.({ stage: 'denoise', model: request.model, rows: 1, generations: [request.id], durationMs: 1 })
      }
      return { width: 1, height: 1, data: Uint8Array.of(request.seed % 256, 0, 0), ...(request.checkContent && { isSensitive: request.prompt === 'sensitive' }) }
    } finally {
      this.#size--
      this.#hooks.onEnd?.(request)
    }
  }

  async warmUp(model: string): Promise<void> {
    if (model.startsWith('broken:')) throw new Error('its weights are missing')
    if (model.startsWith('deadly:')) process.kill(process.pid, 'SIGKILL')
  }

  async stop(): Promise<void> {}
}

type Command = (argument: string, request: GenerationRequest, signal: AbortSignal) => Promise<void>

const commands: Readonly<Record<string, Command>> = {
  /** Runs until cancelled. */
  hold: async (_, __, signal) => await new Promise((__, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason))
  }),
  /** Runs until a file is there. */
  holdUntil: async (path, _, signal) => {
    while (!existsSync(path)) {
      await new Promise(resolve => setImmediate(resolve))
      signal.throwIfAborted()
    }
  },
  /** Kills its process. */
  crash: async () => await killSelf(),
  /** Kills its process unless it did so before. */
  crashOnce: async path => {
    if (existsSync(path)) return
    writeFileSync(path, '')
    await killSelf()
  },
  /** Keeps its thread for ever, unless it did so before. */
  spinOnce: async path => {
    if (existsSync(path)) return
    writeFileSync(path, '')
    for (;;);
  },
  engineError: async () => {
    throw new EngineError('inferenceError', 'The picture has values that are no numbers')
  },
  badScheduler: async () => {
    throw new EngineError('invalidParameter', 'This noise scheduler needs at least 2 steps', { parameter: 'noiseScheduler' })
  },
  outOfMemory: async () => {
    throw new EngineError('outOfMemory', 'The picture does not fit into the memory of the device')
  },
  bug: async () => {
    throw new TypeError('cannot read /secret/path')
  },
  modelError: async () => {
    throw new ModelError('unet: a tensor is missing')
  },
  /** Fails for the second seed of a task only; the others run until cancelled. */
  failSecond: async (_, { seed }, signal) => {
    if (seed === 8) throw new EngineError('inferenceError', 'No picture')
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  },
}

async function killSelf(): Promise<never> {
  process.kill(process.pid, 'SIGKILL')
  return await new Promise<never>(() => {})
}

/** Encodes a picture as its bytes. */
export async function fakeEncode(image: RgbImage): Promise<Uint8Array> {
  return image.data
}

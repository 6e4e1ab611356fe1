import type { Engine } from '../../engine/index.ts'

/** What a warm-up found. */
export interface WarmUpReport {
  /** The model that is loaded now. */
  readonly warmed: string
  /** Models that were tried before it and could not be loaded. */
  readonly broken: readonly { readonly air: string; readonly reason: string }[]
}

/** Warms the first of these models that can be loaded, so that one broken model does not keep a worker from starting. */
export async function warmUp(engine: Pick<Engine, 'warmUp'>, airs: readonly string[]): Promise<WarmUpReport> {
  const broken: { air: string; reason: string }[] = []
  for (const air of airs) {
    try {
      await engine.warmUp(air)
      return { warmed: air, broken }
    } catch (error) {
      broken.push({ air, reason: error instanceof Error ? error.message : String(error) })
    }
  }
  const reasons = broken.map(({ air, reason }) => `${air}: ${reason}`).join('; ')
  throw new Error(reasons ? `No model can be loaded (${reasons})` : 'There is no model to load')
}

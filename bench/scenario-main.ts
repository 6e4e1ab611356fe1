// The process of one scenario: is told it, measures, and is ended by who started it.
import { benchKinds } from './kinds/index.ts'
import { SkippedError } from './bench-context.ts'
import type { BenchContext } from './bench-context.ts'
import type { Scenario } from './generated/scenarios.ts'
import type { ScenarioMessage, ScenarioOrder } from './scenario-messages.ts'

const tell = (message: ScenarioMessage) => void process.send?.(message)

// Whoever gave the order is gone: nobody is left to end this group.
process.once('disconnect', () => process.kill(-process.pid, 'SIGKILL'))
process.once('message', order => void obey(order as ScenarioOrder)) // the parent is ours
tell({ type: 'ready' })

async function obey({ scenario, device, workFolder }: ScenarioOrder): Promise<void> {
  const context: BenchContext = {
    device, workFolder,
    measure: measure => tell({ type: 'measure', measure }),
    note: text => tell({ type: 'note', text }),
    progress: (done, total, what) => tell({ type: 'progress', done, total, what }),
  }
  try {
    await run(scenario, context)
    tell({ type: 'ended', outcome: 'measured' })
  } catch (error) {
    if (error instanceof SkippedError) return tell({ type: 'ended', outcome: 'skipped', reason: error.message })
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
    tell({ type: 'ended', outcome: 'failed', reason: error instanceof Error ? error.message : String(error) })
  }
}

async function run<Kind extends Scenario['kind']>(scenario: Extract<Scenario, { kind: Kind }>, context: BenchContext): Promise<void> {
  await benchKinds[scenario.kind as Kind](scenario, context)
}

import type { Engine } from '../../engine/index.ts'
import type { BenchContext } from '../bench-context.ts'
import { benchModel } from '../engine/bench-model.ts'
import { CrowdRunner } from '../engine/crowd-runner.ts'
import { benchDevice, crowdOf, openBenchEngine, requestOf } from '../engine/engine-crowd.ts'
import type { Peers } from '../generated/scenarios.ts'
import { busyCores } from '../measure/busy-cores.ts'
import { interleave } from '../measure/interleave.ts'
import { round } from '../measure/percentiles.ts'
import { PeerProcess } from '../peers/peer-process.ts'
import { compared } from '../report/measure.ts'

/** Our side: an engine and what lets it take single steps. */
interface Ours {
  readonly engine: Engine
  readonly runner: CrowdRunner
  readonly air: string
}

/** Ours against other engines on the same weights, each in turn. */
export async function measurePeers(scenario: Peers, context: BenchContext): Promise<void> {
  const device = await benchDevice(context.device)
  const model = await benchModel(scenario.model, context)
  context.progress(0, 1, 'starting Python')
  const peers = await PeerProcess.start(model.path, context.device)
  const { engines, missing, versions } = peers.facts
  const busy = await busyCores()
  if (busy > 0.3) context.note(`The machine was busy with something else (${busy.toFixed(1)} cores): the threads of other engines wait for each other in loops and lose far more by that than ours do, so these ratios say nothing`)
  context.note(Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(', '))
  const runner = new CrowdRunner()
  const maxRows = 2 * Math.max(...scenario.pictures)
  const ours: Ours = { engine: await openBenchEngine(model, device, maxRows, { onRun: runner.onRun }), runner, air: model.air }
  const wanted = scenario.engines.filter(name => engines.includes(name))
  for (const name of scenario.engines) if (!engines.includes(name)) context.note(`${name} was left out: ${missing[name] ?? 'it is not known there'}`)
  for (const [index, name] of wanted.entries()) {
    context.progress(index, wanted.length, name)
    await measurePeer(name, scenario, context, ours, peers)
  }
  await ours.engine.stop()
  peers.stop()
}

async function measurePeer(name: string, scenario: Peers, context: BenchContext, { engine, runner, air }: Ours, peers: PeerProcess): Promise<void> {
  const { width, height, steps, guidance, rounds } = scenario
  await peers.ask({ command: 'open', engine: name })
  for (const [index, count] of scenario.pictures.entries()) {
    const rows = guidance > 1 ? 2 * count : count
    const total = 2 * scenario.pictures.length * rounds
    const progress = (before: number) => (turn: number) => context.progress(before + turn, total, `${name}, ${rows} rows`)
    if (!peers.facts.picturesOnly.includes(name)) {
      const ourSteps = async () => {
        const { runs, endMs } = await runner.run(engine, crowdOf(rows, air, { width, height, totalSteps: steps + 1 }), steps)
        return rows * steps / (endMs - (runs[0]?.startMs ?? NaN)) * 1000
      }
      const theirSteps = async () => rows / await peers.ask({ command: 'step', rows, width, height, repeats: steps })
      await ourSteps()
      await theirSteps()
      const stepRates = await interleave(rounds, ourSteps, theirSteps, progress(2 * index * rounds))
      context.measure({ name: `denoiser against ${name}, ${width}x${height}, ${rows} rows`, unit: 'rows/s', ...compared(stepRates, name, scenario) })
    }

    let made = 0
    const ourPictures = async () => {
      // New prompts each time: an encoding that is still known would be a head start.
      const first = made
      made += count
      const startMs = performance.now()
      const { signal } = new AbortController()
      await Promise.all(Array.from({ length: count }, (_, index) => engine.generate(pictureRequest(first + index, air, scenario), signal)))
      return count / (performance.now() - startMs) * 1000
    }
    const theirPictures = async () => count / await peers.ask({ command: 'pictures', count, width, height, steps, guidance })
    await ourPictures()
    await theirPictures()
    const rates = await interleave(rounds, ourPictures, theirPictures, progress((2 * index + 1) * rounds))
    context.measure({
      name: `pictures against ${name}, ${width}x${height}, ${count} at a time`, unit: 'images/s', ...compared(rates, name, scenario),
      details: { steps, 's a batch': round(count / rates.subject), 's a batch of theirs': round(count / rates.baseline) },
    })
  }
  await peers.ask({ command: 'close' })
}

function pictureRequest(index: number, air: string, { width, height, steps, guidance }: Peers) {
  return { ...requestOf(index, air, { width, height, totalSteps: steps }, guidance), noiseScheduler: 'Euler' }
}

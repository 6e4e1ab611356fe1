import { fork } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Measure } from './report/measure.ts'
import type { ScenarioOutcome, ScenarioReport } from './report/report.ts'
import type { ScenarioMessage, ScenarioOrder } from './scenario-messages.ts'
import type { NamedScenario } from './scenarios.ts'

/** How one scenario is run. */
export interface RunOptions {
  readonly device: string
  /** What is left of the whole run's time. */
  readonly leftMs: number
  /** Ends the scenario early. */
  readonly signal: AbortSignal
  readonly onProgress: (progress: Extract<ScenarioMessage, { type: 'progress' }>) => void
}

const interrupted = 'interrupted'
const timeIsOver = "the run's time limit"

const entry = fileURLToPath(new URL('scenario-main.js', import.meta.url))

/**
 * Runs one scenario in a process of its own, which leads a process group: a run of a network blocks its thread and cannot be
 * interrupted, and whatever a scenario has started, servers and peers among it, ends with the group, however it ended itself.
 */
export async function runScenario(named: NamedScenario, options: RunOptions): Promise<ScenarioReport> {
  const { signal, leftMs } = options
  if (signal.aborted || leftMs <= 0) return notRun(named, signal.aborted ? interrupted : timeIsOver)
  return await runInGroup(named, options)
}

async function runInGroup({ name, scenario }: NamedScenario, { device, leftMs, signal, onProgress }: RunOptions): Promise<ScenarioReport> {
  const startedAt = performance.now()
  const workFolder = await mkdtemp(join(tmpdir(), 'latentd-bench-'))
  /** By name: a scenario may tell a figure again when it knows better. */
  const measures = new Map<string, Measure>()
  const notes: string[] = []
  const child = fork(entry, [], { detached: true, stdio: ['ignore', 2, 2, 'ipc'], execArgv: ['--enable-source-maps'] })
  const killGroup = () => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
  const limitMs = Math.min(scenario.limitSeconds * 1000, leftMs)
  const end = await new Promise<{ outcome: ScenarioOutcome; reason?: string }>(resolve => {
    const stop = (reason: string) => resolve({ outcome: 'stopped', reason })
    const timer = setTimeout(() => stop(limitMs < leftMs ? `its limit of ${scenario.limitSeconds} s` : timeIsOver), limitMs)
    const onAbort = () => stop(interrupted)
    signal.addEventListener('abort', onAbort, { once: true })
    child.once('close', (code, killedBy) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      resolve({ outcome: 'failed', reason: `its process ended (${killedBy ?? `exit code ${code}`})` })
    })
    child.once('error', error => resolve({ outcome: 'failed', reason: `its process could not be started: ${error.message}` }))
    child.on('message', message => {
      const told = message as ScenarioMessage // the child is ours
      switch (told.type) {
        case 'ready': return void child.send({ scenario, device, workFolder } satisfies ScenarioOrder)
        case 'progress': return onProgress(told)
        case 'measure': return void measures.set(told.measure.name, told.measure)
        case 'note': return void notes.push(told.text)
        case 'ended': return resolve(told)
        default: throw new Error(`Unknown message ${JSON.stringify(told satisfies never)}`)
      }
    })
  })
  const closed = child.exitCode === null && child.signalCode === null ? new Promise(resolve => child.once('close', resolve)) : undefined
  killGroup()
  await closed
  await rm(workFolder, { recursive: true, force: true, maxRetries: 3 })
  return {
    name, title: scenario.title,
    outcome: end.outcome,
    ...(end.reason !== undefined && { reason: end.reason }),
    seconds: Math.round((performance.now() - startedAt) / 100) / 10,
    measures: [...measures.values()],
    ...(notes.length > 0 && { notes }),
    scenario,
  }
}

function notRun({ name, scenario }: NamedScenario, reason: string): ScenarioReport {
  return { name, title: scenario.title, outcome: 'stopped', reason, seconds: 0, measures: [], scenario }
}

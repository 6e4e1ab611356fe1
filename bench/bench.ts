// `npm run bench -- [--list] [--only NAMES] [--set default|long|cuda] [--device cpu] [--minutes 15] [--scenarios DIR] [--out FILE] [--compare OLD NEW]`;
// docs/performance.md says how to read what it prints.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { formatTable } from '../server/cli/table.ts'
import { packageRoot } from '../server/cli/package-root.ts'
import { readOptions, usage, UsageError } from './options.ts'
import type { BenchOptions } from './options.ts'
import { compareReports } from './report/compare.ts'
import { machineFacts } from './report/machine.ts'
import { Progress } from './report/progress.ts'
import type { Report, ScenarioReport } from './report/report.ts'
import { formatReport } from './report/table.ts'
import { runScenario } from './run-scenario.ts'
import { readScenarios, ScenarioError, selectScenarios } from './scenarios.ts'
import type { NamedScenario } from './scenarios.ts'

try {
  await main(readOptions(process.argv.slice(2)))
} catch (error) {
  if (!(error instanceof UsageError || error instanceof ScenarioError)) throw error
  process.stderr.write(`${error.message}\n${error instanceof UsageError ? `\n${usage}` : ''}`)
  process.exitCode = 2
}

async function main(options: BenchOptions): Promise<void> {
  if (options.help) return print(usage)
  if (options.compare) {
    const [older, newer] = await Promise.all(options.compare.map(readReport))
    return print(compareReports(older as Report, newer as Report))
  }
  const all = await readScenarios(options.scenarios ?? join(packageRoot(), 'bench/scenarios'))
  if (options.list) return print(listOf(all))
  await measure(selectScenarios(all, options), options)
}

/** Runs the scenarios one after the other; writes what there is also when it is interrupted. */
async function measure(selected: readonly NamedScenario[], { device, minutes, out }: BenchOptions): Promise<void> {
  const facts = machineFacts()
  const startedAt = new Date()
  const endsAt = performance.now() + minutes * 60_000
  const interrupt = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupt.abort())
  const progress = new Progress(process.stderr, selected.length)
  const scenarios: ScenarioReport[] = []
  for (const named of selected) {
    progress.start(named.name)
    const ended = await runScenario(named, {
      device,
      leftMs: endsAt - performance.now(),
      signal: interrupt.signal,
      onProgress: ({ done, total, what }) => progress.show(done, total, what),
    })
    scenarios.push(ended)
    progress.end(ended)
  }
  const report: Report = {
    startedAt: startedAt.toISOString(),
    seconds: Math.round((Date.now() - startedAt.getTime()) / 1000),
    device, ...facts, scenarios,
  }
  const file = out ?? join(packageRoot(), 'bench/results', `${stampOf(startedAt)}-${facts.commit.slice(0, 8)}.json`)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, `${JSON.stringify(report, undefined, 2)}\n`)
  print(formatReport(report))
  print(`\nWritten to ${file}`)
  if (interrupt.signal.aborted) process.exitCode = 130
  else if (scenarios.some(({ outcome }) => outcome === 'failed')) process.exitCode = 1
}

async function readReport(file: string): Promise<Report> {
  const text = await readFile(file, 'utf8').catch((cause: Error) => { throw new UsageError(`${file} cannot be read: ${cause.message}`) })
  const report = JSON.parse(text) as Partial<Report>
  if (!Array.isArray(report.scenarios)) throw new UsageError(`${file} is no results file of this bench`)
  return report as Report
}

function listOf(all: readonly NamedScenario[]): string {
  const rows = all.map(({ name, scenario }) => [name, scenario.set, scenario.kind, `≤ ${scenario.limitSeconds} s`, scenario.title])
  return formatTable([['name', 'set', 'kind', 'time', 'what'], ...rows]).join('\n')
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

function stampOf(date: Date): string {
  return date.toISOString().slice(0, 16).replace(/[-:]/g, '').replace('T', '-')
}

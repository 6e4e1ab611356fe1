import { formatTable } from '../../server/cli/table.ts'
import type { Measure } from './measure.ts'
import type { Report, ScenarioReport } from './report.ts'

/** A run as a person reads it. */
export function formatReport(report: Report): string {
  const { machine, versions, commit, device, seconds, startedAt } = report
  const head = [
    `latentd ${versions.latentd} (${commit}) on ${device}, ${startedAt}, ${seconds} s`,
    `${machine.cores} x ${machine.cpu}, ${machine.memoryGiB} GiB, ${machine.system}, Node ${versions.node}, ONNX Runtime ${versions.onnxruntime}, load at the start ${machine.loadAtStart}`,
    ...machine.gpus,
  ]
  return [head.join('\n'), ...report.scenarios.map(formatScenario)].join('\n\n')
}

/** A scenario's figures as a table, with why some are missing. */
export function formatScenario({ name, title, outcome, reason, measures, notes = [] }: ScenarioReport): string {
  const lines = [`${name}: ${title}`]
  if (measures.length > 0) lines.push(...formatTable([header, ...measures.map(rowOf)]).map(line => `  ${line}`))
  for (const measure of measures) {
    const details = Object.entries(measure.details ?? {}).map(([key, value]) => `${key} ${value}`)
    if (details.length > 0) lines.push(`  · ${measure.name}: ${details.join(', ')}`)
  }
  lines.push(...notes.map(note => `  · ${note}`))
  if (outcome !== 'measured') lines.push(`  ${outcome.toUpperCase()}: ${reason ?? 'no reason is known'}`)
  return lines.join('\n')
}

const header = ['', 'value', '', 'p50 ms', 'p90 ms', 'p99 ms', 'against', '', 'ratio', '(rounds)', 'goal']

function rowOf({ name, unit, value, ms, baseline, ratio, ratioRange, goal }: Measure): string[] {
  return [
    name, formatNumber(value), unit,
    ms ? formatNumber(ms.p50) : '', ms ? formatNumber(ms.p90) : '', ms ? formatNumber(ms.p99) : '',
    baseline?.name ?? '', baseline ? formatNumber(baseline.value) : '',
    ratio === undefined ? '' : ratio.toFixed(3),
    ratioRange ? `${ratioRange[0].toFixed(2)}-${ratioRange[1].toFixed(2)}` : '',
    goal ? `${goal.text}: ${goal.isMet ? 'met' : 'MISSED'}` : '',
  ]
}

/** A number with as many decimals as it deserves. */
export function formatNumber(value: number): string {
  const size = Math.abs(value)
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3)
}

import { formatTable } from '../../server/cli/table.ts'
import type { Measure } from './measure.ts'
import type { Report } from './report.ts'
import { formatNumber } from './table.ts'

/** A measure's change below this is not worth a look. */
const noticeable = 0.05

/** Two runs side by side: every measure that both have, then what only one has. */
export function compareReports(older: Report, newer: Report): string {
  const before = measuresOf(older)
  const after = measuresOf(newer)
  const shared = [...after].filter(([key]) => before.has(key))
  const rows = shared.map(([key, measure]) => rowOf(key, before.get(key) as Measure, measure))
  const only = (label: string, some: ReadonlyMap<string, Measure>, others: ReadonlyMap<string, Measure>) => {
    const names = [...some.keys()].filter(key => !others.has(key))
    return names.length > 0 ? [`only in the ${label}: ${names.join('; ')}`] : []
  }
  return [
    `${older.commit} of ${older.startedAt} → ${newer.commit} of ${newer.startedAt}`,
    ...warningsOf(older, newer),
    ...formatTable([['', 'old', 'new', '', 'change', 'old ratio', 'new ratio', 'change', ''], ...rows]),
    ...only('old', before, after), ...only('new', after, before),
  ].join('\n')
}

/** Figures of different machines do not compare, their ratios do so a little. */
function warningsOf(older: Report, newer: Report): readonly string[] {
  const facts = ({ machine, versions, device }: Report) => ({
    machine: `${machine.cores} x ${machine.cpu}`, 'graphics cards': machine.gpus.join(', ') || 'none', device, Node: versions.node, 'ONNX Runtime': versions.onnxruntime,
  })
  const was = Object.entries(facts(older))
  const is = Object.values(facts(newer))
  const lines = was.flatMap(([name, value], index) => value === is[index] ? [] : [`different ${name}: ${value} → ${is[index]}; compare the ratios`])
  const isBusy = Math.max(older.machine.loadAtStart, newer.machine.loadAtStart) > 1
  return isBusy ? [...lines, `the machine was busy (load ${older.machine.loadAtStart} → ${newer.machine.loadAtStart}); compare the ratios`] : lines
}

function measuresOf(report: Report): ReadonlyMap<string, Measure> {
  return new Map(report.scenarios.flatMap(({ name, measures }) => measures.map(measure => [`${name} / ${measure.name}`, measure] as const)))
}

function rowOf(key: string, older: Measure, newer: Measure): string[] {
  const change = newer.value / older.value - 1
  const ratioChange = older.ratio !== undefined && newer.ratio !== undefined ? newer.ratio / older.ratio - 1 : undefined
  // A ratio is told by its own run's baseline; it says more than a figure of another moment.
  const telling = ratioChange ?? change
  const isBetter = (telling > 0) !== (newer.isLowerBetter === true)
  return [
    key, formatNumber(older.value), formatNumber(newer.value), newer.unit, percent(change),
    older.ratio?.toFixed(3) ?? '', newer.ratio?.toFixed(3) ?? '', ratioChange === undefined ? '' : percent(ratioChange),
    Math.abs(telling) < noticeable ? '' : isBetter ? 'better' : 'WORSE',
  ]
}

function percent(change: number): string {
  return `${change >= 0 ? '+' : ''}${(change * 100).toFixed(1)} %`
}

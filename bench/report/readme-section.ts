import { formatNumber } from './table.ts'
import type { Measure } from './measure.ts'
import type { Report } from './report.ts'

/** A report and the file it lies in, relative to the page that quotes it. */
export interface PublishedReport {
  readonly file: string
  readonly report: Report
}

const section = /(<!-- performance: (\S+) -->\n)[\s\S]*?(<!-- end of performance -->)/g

/**
 * A page whose performance sections say what their results say: what stands between `<!-- performance: FILE -->` and
 * `<!-- end of performance -->` is made from that file. A page without such marks stays as it is.
 */
export function fillPerformance(page: string, read: (file: string) => Report): string {
  return page.replace(section, (_, begin: string, file: string, end: string) => `${begin}\n${performanceSection({ file, report: read(file) })}\n\n${end}`)
}

/** Every figure that has something to be held against, and the machine it comes from. */
export function performanceSection({ file, report }: PublishedReport): string {
  const { machine, versions, commit, device, startedAt } = report
  const rows = report.scenarios.flatMap(({ title, scenario, measures }) => {
    // A profile's shares are no comparison.
    if ((scenario as { readonly kind?: string }).kind === 'engineProfile') return []
    return measures.filter(({ baseline, goal }) => baseline ?? goal).map((measure, index) => rowOf(index === 0 ? title : '', measure))
  })
  const hardware = [`${machine.cores} x ${machine.cpu}`, `${machine.memoryGiB} GiB`, ...machine.gpus].join(', ')
  return [
    `Measured by \`npm run bench\` at ${commit} on ${device}, ${startedAt.slice(0, 10)}: ${hardware}, Node ${versions.node}, ONNX Runtime ${versions.onnxruntime}; load of the machine at the start ${machine.loadAtStart}. All figures: [${file}](${file}).`,
    '',
    '| | | | against, in the same run | ratio |',
    '|---|---|---|---|---|',
    ...rows,
  ].join('\n')
}

function rowOf(title: string, { name, value, unit, baseline, ratio, goal }: Measure): string {
  const against = baseline ? `${baseline.name}: ${formatNumber(baseline.value)}` : ''
  const reached = goal && !goal.isMet ? ` (goal missed: ${goal.text})` : ''
  return `| ${[title, name, `${formatNumber(value)} ${unit}`, against, `${ratio === undefined ? '' : ratio.toFixed(2)}${reached}`].join(' | ')} |`
}

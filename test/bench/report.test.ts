import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { compareReports } from '../../bench/report/compare.ts'
import { compared } from '../../bench/report/measure.ts'
import type { Measure } from '../../bench/report/measure.ts'
import { fillPerformance } from '../../bench/report/readme-section.ts'
import type { Report } from '../../bench/report/report.ts'
import { formatNumber, formatReport } from '../../bench/report/table.ts'
import { packageRoot } from '../../server/cli/package-root.ts'

function reportOf(measures: readonly Measure[], changes: Partial<Report> = {}): Report {
  return {
    commit: 'abc', startedAt: '2026-01-02T03:04:05.000Z', seconds: 60, device: 'cpu',
    machine: { cpu: 'a processor', cores: 2, memoryGiB: 8, system: 'Linux', gpus: [], loadAtStart: 0.1 },
    versions: { latentd: '0.1.0', node: 'v20', onnxruntime: '1.30.0' },
    scenarios: [
      { name: 'one', title: 'The first', outcome: 'measured', seconds: 30, measures, scenario: { kind: 'gatewayMessages' } },
      { name: 'two', title: 'The second', outcome: 'skipped', reason: 'no Python', seconds: 1, measures: [], scenario: {} },
    ],
    ...changes,
  }
}

const comparison = { subject: 50, baseline: 100, ratio: 0.5, ratioRange: [0.4, 0.6] } as const
const rate: Measure = { name: 'rate', unit: 'tasks/s', ...compared(comparison, 'echo', { minRatio: 0.6 }), ms: { count: 3, p50: 1, p90: 2, p99: 30, max: 31 } }
const time: Measure = { name: 'time', unit: 'ms', value: 10, isLowerBetter: true }

t.test('a ratio is held against its goal', async t => {
  t.same(compared(comparison, 'echo', { minRatio: 0.6 }).goal, { text: 'ratio ≥ 0.6', isMet: false })
  t.same(compared(comparison, 'echo', { minRatio: 0.5 }).goal, { text: 'ratio ≥ 0.5', isMet: true })
  t.same(compared(comparison, 'echo', { maxRatio: 0.4 }).goal, { text: 'ratio ≤ 0.4', isMet: false })
  t.equal(compared(comparison, 'echo').goal, undefined)
})

t.test('a table has figures, percentiles, ratio, missed goals and what was skipped', async t => {
  const text = formatReport(reportOf([rate, time]))
  t.match(text, /rate +50\.0 +tasks\/s +1\.00 +2\.00 +30\.0 +echo +100 +0\.500 +0\.40-0\.60 +ratio ≥ 0\.6: MISSED/)
  t.match(text, 'SKIPPED: no Python')
  t.match(text, '2 x a processor')
  t.same([1234.5, 123.4, 12.34, 1.234, 0.1234].map(formatNumber), ['1235', '123', '12.3', '1.23', '0.123'])
})

t.test('a comparison tells better from worse by the ratio where there is one, by the figure elsewhere', async t => {
  const text = compareReports(
    reportOf([rate, time, { name: 'gone', unit: 's', value: 1 }]),
    reportOf([{ ...rate, value: 40, ratio: 0.6 }, { ...time, value: 12 }, { name: 'fresh', unit: 's', value: 1 }]),
  )
  t.match(text, /one \/ rate +50\.0 +40\.0 +tasks\/s +-20\.0 % +0\.500 +0\.600 +\+20\.0 % +better/)
  t.match(text, /one \/ time +10\.0 +12\.0 +ms +\+20\.0 % +WORSE/)
  t.match(text, 'only in the old: one / gone')
  t.match(text, 'only in the new: one / fresh')
  t.notMatch(compareReports(reportOf([time]), reportOf([{ ...time, value: 10.4 }])), /WORSE|better/)
})

t.test('a comparison across machines or of busy ones says so', async t => {
  const other = { ...reportOf([]).machine, cpu: 'another', loadAtStart: 9 }
  const text = compareReports(reportOf([rate]), reportOf([rate], { machine: other }))
  t.match(text, 'different machine: 2 x a processor → 2 x another; compare the ratios')
  t.match(text, 'the machine was busy (load 0.1 → 9)')
  t.notMatch(compareReports(reportOf([rate]), reportOf([rate])), /different|busy/)
})

t.test('a page is filled from the results that it names, and filling it again changes nothing', async t => {
  const page = 'Before\n<!-- performance: bench/results/a.json -->\nold\n<!-- end of performance -->\nafter\n'
  const read = (file: string) => {
    t.equal(file, 'bench/results/a.json')
    return reportOf([rate, time])
  }
  const filled = fillPerformance(page, read)
  t.match(filled, '| The first | rate | 50.0 tasks/s | echo: 100 | 0.50 (goal missed: ratio ≥ 0.6) |')
  t.match(filled, 'abc on cpu, 2026-01-02: 2 x a processor, 8 GiB')
  t.notMatch(filled, /\bold\b|\| time \|/, 'the old text, and what is held against nothing, are not there')
  t.ok(filled.startsWith('Before\n') && filled.endsWith('\nafter\n'))
  t.equal(fillPerformance(filled, read), filled)
  t.equal(fillPerformance('No marks.', read), 'No marks.')
})

t.test("the README's performance sections say what their results say", async t => {
  const readme = readFileSync(join(packageRoot(), 'README.md'), 'utf8')
  t.equal(fillPerformance(readme, file => JSON.parse(readFileSync(join(packageRoot(), file), 'utf8')) as Report), readme)
})

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import t from 'tap'
import { childrenOf } from '../helpers/served.ts'
import { runScenario } from '../../bench/run-scenario.ts'
import { parseScenario } from '../../bench/scenarios.ts'

const messages = { kind: 'gatewayMessages', title: 'a title', limitSeconds: 60, levels: [{ inFlight: 4, connections: 2 }], rounds: 2, roundSeconds: 0.05, warmUpSeconds: 0.01 }
const workFolders = () => readdirSync(tmpdir()).filter(name => name.startsWith('latentd-bench-'))

function run(scenario: object, { signal = new AbortController().signal, onProgress = () => {} }: { signal?: AbortSignal; onProgress?: () => void } = {}) {
  const options = { device: 'cpu', leftMs: 60_000, signal, onProgress }
  return runScenario({ name: 'test', scenario: parseScenario('test.json', JSON.stringify(scenario)) }, options)
}

t.test('a scenario is measured in a process of its own and leaves nothing behind', async t => {
  const before = workFolders()
  const { outcome, reason, measures } = await run(messages)
  t.same({ outcome, reason }, { outcome: 'measured', reason: undefined })
  t.match(measures, [{ name: '4 in flight', unit: 'tasks/s', baseline: { name: 'ws echo' }, ms: { count: Number } }])
  t.ok((measures[0]?.ms?.count ?? 0) > 0)
  t.same(workFolders().filter(name => !before.includes(name)), [])
})

t.test('a scenario that is interrupted ends with all its processes', { skip: existsSync('/proc') ? false : 'there is no /proc to look for processes in' }, async t => {
  const controller = new AbortController()
  let children: readonly number[] = []
  const { outcome, reason } = await run({ ...messages, roundSeconds: 60 }, {
    signal: controller.signal,
    onProgress() {
      children = descendantsOf(process.pid)
      controller.abort()
    },
  })
  t.same({ outcome, reason }, { outcome: 'stopped', reason: 'interrupted' })
  t.ok(children.length >= 3, 'the scenario, the gateway and the echo')
  while (children.some(isAlive)) await new Promise(resolve => setTimeout(resolve, 20))
})

t.test('a scenario whose time is over is stopped, one that cannot be run is skipped, and both say why', async t => {
  t.match(await run({ ...messages, limitSeconds: 0.001 }), { outcome: 'stopped', reason: 'its limit of 0.001 s' })
  const absent = await run({ kind: 'engineOpening', title: 'a title', limitSeconds: 60, model: t.testdir(), width: 64, height: 64 })
  t.match(absent, { outcome: 'skipped', reason: /holds no checkpoint/ })
})

/** A process that has ended stays a zombie until its parent looks, and these have lost theirs. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s*[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

function descendantsOf(pid: number): readonly number[] {
  return childrenOf(pid).flatMap(child => [child, ...descendantsOf(child)])
}

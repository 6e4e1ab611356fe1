import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parseScenario, readScenarios, ScenarioError, selectScenarios } from '../../bench/scenarios.ts'
import { readOptions, UsageError } from '../../bench/options.ts'
import { parseFrame } from '../../protocol/index.ts'
import { packageRoot } from '../../server/cli/package-root.ts'

const folder = join(packageRoot(), 'bench/scenarios')
const sessions = { kind: 'gatewaySessions', title: 'a title', limitSeconds: 10, sessions: 5 }

t.test('every scenario of the project is valid, and each kind has one', async t => {
  const all = await readScenarios(folder)
  t.equal(all.length, readdirSync(folder).length)
  t.equal(new Set(all.map(({ name }) => name)).size, all.length, 'no name twice')
  const kinds = new Set(all.map(({ scenario }) => scenario.kind))
  t.equal(kinds.size, 11)
})

t.test('every task of the scenarios is one that the server takes', async t => {
  for (const { name, scenario } of await readScenarios(folder)) {
    const tasks = 'mix' in scenario ? scenario.mix.map(({ task }) => task) : scenario.kind === 'serverFairness' ? [scenario.light, scenario.flood] : []
    for (const task of tasks) {
      const whole = { taskType: 'imageInference', taskUUID: '3f2c1e9a-0000-4000-8000-000000000001', model: 'latentd:tiny@1', positivePrompt: 'a red cup', ...task }
      const [element] = parseFrame(JSON.stringify([whole]), { maxTasksPerFrame: 1, strictParameters: true })
      t.equal(element?.type, 'task', `${name}: ${JSON.stringify(element)}`)
    }
  }
})

t.test('defaults are filled in', async t => {
  t.equal(parseScenario('a.json', JSON.stringify(sessions)).set, 'default')
})

t.test('a wrong scenario is refused with its file and what is wrong', async t => {
  const refusal = (value: unknown) => {
    try {
      parseScenario('a.json', typeof value === 'string' ? value : JSON.stringify(value))
    } catch (error) {
      if (error instanceof ScenarioError) return error.message
      throw error
    }
    return 'accepted'
  }
  t.match(refusal('{'), /^a\.json is not JSON/)
  t.match(refusal([]), /^a\.json: "kind" has to be one of .*gatewayMessages/)
  t.match(refusal({ ...sessions, kind: 'toString' }), /"kind" has to be one of/)
  t.match(refusal({ ...sessions, sessions: 0 }), 'a.json: "sessions" must be >= 1')
  t.match(refusal({ ...sessions, session: 1 }), 'a.json: unknown key "session"')
  t.match(refusal({ ...sessions, set: 'quick' }), '"set" must be equal to one of the allowed values (default, long, cuda)')
  const { title: _, ...untitled } = sessions
  t.match(refusal(untitled), "must have required property 'title'")
})

t.test('names decide alone where they are given, else the set does', async t => {
  const named = (name: string, set: 'default' | 'long') => ({ name, scenario: parseScenario(name, JSON.stringify({ ...sessions, set })) })
  const all = [named('gateway-a', 'default'), named('gateway-b', 'long'), named('engine', 'default')]
  const names = (set: 'default' | 'long', ...only: string[]) => selectScenarios(all, { set, only }).map(({ name }) => name)
  t.same(names('default'), ['gateway-a', 'engine'])
  t.same(names('long'), ['gateway-b'])
  t.same(names('default', 'gateway'), ['gateway-a', 'gateway-b'])
  t.throws(() => names('default', 'engine', 'nothing'), ScenarioError)
})

t.test('the command line is read strictly', async t => {
  t.match(readOptions([]), { set: 'default', device: 'cpu', minutes: 15, only: [], list: false })
  t.match(readOptions(['--set', 'cuda']), { set: 'cuda', device: 'cuda:0' })
  t.match(readOptions(['--only', 'a,b', '--only', 'c', '--minutes', '2', '--out', 'x.json']), { only: ['a', 'b', 'c'], minutes: 2, out: 'x.json' })
  t.same(readOptions(['--compare', 'old.json', 'new.json']).compare, ['old.json', 'new.json'])
  for (const args of [['--set', 'quick'], ['--minutes', '0'], ['--minutes', 'x'], ['--compare', 'old.json'], ['stray'], ['--unknown']]) {
    t.throws(() => readOptions(args), UsageError, args.join(' '))
  }
})

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import t from 'tap'

// Reads the imports of every source file and holds them against the rules of ARCHITECTURE.md.

interface Import {
  readonly from: string
  readonly to: string
  readonly isTypeOnly: boolean
}

const roots = ['protocol', 'engine', 'server']
const files = roots.flatMap(root => readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.ts')).map(name => join(root, name)))
const imports = files.flatMap(readImports)
const own = imports.filter(({ to }) => roots.some(root => to.startsWith(`${root}/`)))

function readImports(from: string): Import[] {
  const text = readFileSync(from, 'utf8')
  const found: Import[] = []
  const statement = /^\s*(?:import|export)\s+(type\s)?([\w\s{},*$]*?)(?:\sfrom\s*)?'([^']+)'/gm
  for (const [, type, names = '', path = ''] of text.matchAll(statement)) {
    const inner = /^\{([^}]*)\}$/.exec(names.trim())?.[1]
    const areTypes = inner !== undefined && inner.split(',').map(name => name.trim()).filter(Boolean).every(name => name.startsWith('type '))
    found.push({ from, to: resolvePath(from, path), isTypeOnly: type !== undefined || areTypes })
  }
  for (const [, path = ''] of text.matchAll(/\bimport\(\s*'([^']+)'\s*\)/g)) found.push({ from, to: resolvePath(from, path), isTypeOnly: false })
  return found
}

function resolvePath(from: string, path: string): string {
  return path.startsWith('.') ? normalize(join(dirname(from), path)) : path
}

/** The folder that a rule speaks of: `engine/core`, `server/queue`, or the root for files right in it. */
function partOf(file: string): string {
  const [root = '', part = '', ...rest] = file.split('/')
  return rest.length === 0 ? root : `${root}/${part}`
}

function violations(test: (each: Import) => boolean, among: readonly Import[] = imports): string[] {
  return among.filter(test).map(({ from, to }) => `${from} imports ${to}`)
}

t.test('the scan sees the sources', async t => {
  t.ok(files.length > 100)
  t.ok(own.some(({ from, to }) => from === 'protocol/parse-frame.ts' && to === 'protocol/parse-task.ts'))
})

t.test('protocol imports only protocol, and no input or output', async t => {
  const packages = ['secure-json-parse', 'ajv/']
  t.same(violations(({ from, to }) => from.startsWith('protocol/') && !to.startsWith('protocol/') && !packages.some(name => to.startsWith(name))), [])
})

t.test('the engine imports only the engine', async t => {
  t.same(violations(({ from, to }) => from.startsWith('engine/') && /^(server|protocol|schemas)\//.test(to)), [])
})

t.test('the server takes the engine by its index alone', async t => {
  t.same(violations(({ from, to }) => from.startsWith('server/') && to.startsWith('engine/') && to !== 'engine/index.ts'), [])
})

t.test('the parts of the engine import only what lies below them', async t => {
  const allowed: Readonly<Record<string, readonly string[]>> = {
    'engine/core': ['engine/pipelines', 'engine/models'],
    'engine/pipelines': ['engine/schedulers', 'engine/random', 'engine/prompts', 'engine/runtime', 'engine/architectures', 'engine/images'],
    'engine/architectures': ['engine/graph', 'engine/weights'],
    'engine/models': ['engine/architectures', 'engine/weights', 'engine/runtime', 'engine/graph'],
    'engine/graph': ['engine/weights'],
    'engine/runtime': ['engine/graph'],
    'engine/weights': [],
    'engine/schedulers': ['engine/random'],
    'engine/random': [],
    'engine/prompts': [],
    'engine/images': [],
  }
  // What a part promises those above it; its types may be named from anywhere, its code may not be used.
  const contracts = [
    'engine/core/generation-request.ts', 'engine/models/loaded-model.ts', 'engine/runtime/model-session.ts', 'engine/schedulers/noise-scheduler.ts',
  ]
  const isForbidden = ({ from, to, isTypeOnly }: Import) => {
    const below = allowed[partOf(from)]
    if (!below || !to.startsWith('engine/') || (isTypeOnly && contracts.includes(to))) return false
    // Files right in engine/ hold what all parts share: tensors, errors.
    return partOf(to) !== partOf(from) && partOf(to) !== 'engine' && !below.includes(partOf(to))
  }
  t.same(violations(isForbidden), [])
  for (const contract of contracts) t.ok(files.includes(contract), contract)
})

t.test('each outside package has one importing place', async t => {
  const places: Readonly<Record<string, RegExp>> = {
    ws: /^server\/gateway\//,
    'onnxruntime-node': /^engine\/runtime\//,
    sharp: /^engine\/images\//,
    'prom-client': /^server\/metrics\.ts$/,
    pino: /^server\/log\.ts$/,
    '@huggingface/tokenizers': /^engine\/prompts\//,
    commander: /^server\/cli\//,
    'secure-json-parse': /^(protocol\/parse-json|server\/config\/resolve-config)\.ts$/,
  }
  t.same(violations(({ from, to }) => Object.hasOwn(places, to) && places[to]?.test(from) === false), [])
})

t.test('only the entry points read the environment', async t => {
  const entries = ['server/cli.ts', 'server/worker/worker-process.ts', 'server/worker-main.ts']
  // Setting a variable that a library looks for is no reading.
  const isReading = /\bprocess\.env\b(?!\['\w+'\] = )/
  const readers = files.filter(file => isReading.test(readFileSync(file, 'utf8').replace(/^\s*(\*|\/\/|\/\*).*$/gm, '')))
  t.same(readers.filter(file => !entries.includes(file)), [])
})

t.test('imports make no cycle', async t => {
  const edges = new Map<string, string[]>()
  for (const { from, to, isTypeOnly } of own) if (!isTypeOnly) edges.set(from, [...(edges.get(from) ?? []), to])
  const done = new Set<string>()
  const cycles: string[] = []
  const visit = (file: string, path: readonly string[]) => {
    if (path.includes(file)) return void cycles.push([...path.slice(path.indexOf(file)), file].join(' → '))
    if (done.has(file)) return
    for (const next of edges.get(file) ?? []) visit(next, [...path, file])
    done.add(file)
  }
  for (const file of edges.keys()) visit(file, [])
  t.same(cycles, [])
})

// How long an application ping waits for its pong while the device computes as much as it can:
// `npm run bench:ping -- [--models DIR] [--model AIR] [--device cpu] [--seconds 30] [--size 256] [--out FILE]`
import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { dirname } from 'node:path'
import { parseArgs } from 'node:util'
import { WebSocket } from 'ws'
import { summarize } from './percentiles.ts'
import { startBenchServer } from './started-server.ts'

/** Tasks kept under way, more than a worker has room for. */
const tasksUnderWay = 12
const pingEveryMs = 20
const warmUpMs = 3_000

const { values: options } = parseArgs({
  options: {
    models: { type: 'string', default: 'models' },
    model: { type: 'string' },
    device: { type: 'string', default: 'cpu' },
    seconds: { type: 'string', default: '30' },
    size: { type: 'string', default: '256' },
    out: { type: 'string', default: 'bench/results/ping.json' },
  },
})

const server = await startBenchServer(options.models, options.device)
const model = options.model ?? await firstModel(server.port, server.apiKey)
const loader = await connect()
const pinger = await connect()

let finished = 0
loader.on('message', text => {
  for (const item of parse(text).data ?? []) {
    if (item.taskType !== 'imageInference') continue
    finished++
    submit()
  }
  const { errors } = parse(text)
  if (errors) throw new Error(`A task failed: ${JSON.stringify(errors)}`)
})
for (let k = 0; k < tasksUnderWay; k++) submit()

await new Promise(resolve => setTimeout(resolve, warmUpMs))
finished = 0
const underLoad = await measure(Number(options.seconds) * 1000)
const result = {
  benchmark: 'application ping to pong under full inference load, milliseconds',
  ...underLoad,
  images: finished,
  seconds: Number(options.seconds),
  size: Number(options.size),
  model,
  device: options.device,
  machine: `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}`,
  node: process.version,
  commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim(),
  warmUpMs,
}
mkdirSync(dirname(options.out), { recursive: true })
writeFileSync(options.out, `${JSON.stringify(result, null, 2)}\n`)
process.stdout.write(`${JSON.stringify(result, null, 2)}\n`)
loader.terminate()
pinger.terminate()
await server.stop()

/** Pings again and again, one at a time. */
async function measure(durationMs: number) {
  const sample: number[] = []
  const end = performance.now() + durationMs
  while (performance.now() < end) {
    const sentAt = performance.now()
    const answered = new Promise<void>(resolve => pinger.once('message', () => resolve()))
    pinger.send('[{"taskType":"ping","ping":true}]')
    await answered
    sample.push(performance.now() - sentAt)
    await new Promise(resolve => setTimeout(resolve, pingEveryMs))
  }
  return summarize(sample)
}

function submit(): void {
  const size = Number(options.size)
  const task = { taskType: 'imageInference', taskUUID: randomUUID(), model, positivePrompt: 'a red cup', width: size, height: size, steps: 4 }
  loader.send(JSON.stringify([task]))
}

async function connect(): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/v1`)
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
  const authenticated = new Promise(resolve => socket.once('message', resolve))
  socket.send(JSON.stringify([{ taskType: 'authentication', apiKey: server.apiKey }]))
  await authenticated
  return socket
}

/** The error for an unknown model lists those that there are. */
async function firstModel(port: number, apiKey: string): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/v1`, {
    method: 'POST',
    headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify([{ taskType: 'imageInference', taskUUID: randomUUID(), model: 'none:none@1', positivePrompt: 'a red cup', width: 512, height: 512 }]),
  })
  const { errors } = await response.json() as { errors?: { allowedValues?: string[] }[] }
  const model = errors?.[0]?.allowedValues?.[0]
  if (!model) throw new Error('Name the model with --model')
  return model
}

function parse(text: unknown): { data?: { taskType?: string }[]; errors?: unknown[] } {
  return JSON.parse(String(text)) as { data?: { taskType?: string }[]; errors?: unknown[] }
}

// A build of the npm package `@runware/sdk-js` against a started server: build, port, a port for the client with a wrong key,
// API key and model are the arguments.
// Old builds go on connecting after they were told to stop, so this is a process of its own that ends itself.
import assert from 'node:assert/strict'
import { RunwareClient as Client13, RunwareServer as Server13 } from '@runware/sdk-js'
import { RunwareClient as Client11, RunwareServer as Server11 } from 'sdk-js-1-1'
import { WebSocket } from 'ws'

/** The parts of the SDK's clients that the checks use; all four builds have them. */
interface SdkClient {
  ensureConnection(): Promise<unknown>
  requestImages(request: Readonly<Record<string, unknown>>): Promise<readonly SdkImage[] | undefined>
}

interface SdkImage {
  readonly imageUUID: string
  readonly imageURL?: string
  readonly seed?: number
  readonly cost?: number
}

type SdkBuild = new (options: { apiKey: string; url: string; timeoutDuration: number }) => unknown

const builds: Readonly<Record<string, SdkBuild>> = {
  '1.3.2-node': Server13,
  '1.3.2-browser': Client13,
  '1.1.46-node': Server11,
  '1.1.46-browser': Client11,
}

/** A browser's WebSocket throws nothing when nobody listens for its errors, as after a client has let go of it. */
class BrowserWebSocket extends WebSocket {
  constructor(url: string | URL, protocols?: string | string[]) {
    super(url, protocols)
    this.on('error', () => undefined)
  }
}

const [build, port, strangerPort, apiKey, model] = process.argv.slice(2)
if (build.endsWith('browser')) Object.assign(globalThis, { WebSocket: BrowserWebSocket })

const client = connect(apiKey)
await attempt('connect', async () => {
  await client.ensureConnection()
})
await attempt('wrong key', wrongKey)
await attempt('two results, each reported as it comes', twoResults)
await attempt('error with code and parameter fails nobody else', errorReachesItsCaller)
await attempt('100 parallel tasks', hundredInParallel)
await attempt('drop and resume', drop)
process.exit(0)

function connect(key: string, at = port, timeoutDuration = 60_000): SdkClient {
  return new builds[build]({ apiKey: key, url: `ws://127.0.0.1:${at}/v1`, timeoutDuration }) as SdkClient
}

function request(changes: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  return { model, positivePrompt: 'a red heart', width: 128, height: 128, steps: 2, numberResults: 1, ...changes }
}

async function attempt(check: string, run: () => Promise<void>): Promise<void> {
  const detail = await run().then(() => '', (error: unknown) => (error instanceof Error ? String(error.stack) : JSON.stringify(error)))
  process.stdout.write(`${JSON.stringify({ check, ok: detail === '', detail })}\n`)
}

async function wrongKey(): Promise<void> {
  const stranger = connect('this-key-is-not-known-to-the-server', strangerPort)
  const error = await stranger.requestImages(request({ retry: 1 })).then(() => undefined, (reason: unknown) => reason)
  assert.match(JSON.stringify(error), /invalidApiKey/)
}

async function twoResults(): Promise<void> {
  const partial: unknown[] = []
  const onPartialImages = (images: unknown) => partial.push(images)
  const images = await client.requestImages(request({ numberResults: 2, seed: 7, includeCost: true, onPartialImages }))
  assert(images)
  assert.equal(images.length, 2)
  assert.equal(new Set(images.map(({ imageUUID }) => imageUUID)).size, 2)
  assert.deepEqual(images.map(({ seed }) => seed).sort(), [7, 8])
  assert(partial.length >= 1)
  assert.equal(typeof images[0].cost, 'number')
  const picture = await fetch(String(images[0].imageURL))
  assert.equal(picture.headers.get('content-type'), 'image/jpeg')
}

async function errorReachesItsCaller(): Promise<void> {
  const [bad, good] = await Promise.allSettled([
    client.requestImages(request({ model: 'nobody:has@this', retry: 1 })),
    client.requestImages(request({ seed: 11 })),
  ])
  assert.equal(bad.status, 'rejected')
  assert.match(JSON.stringify(bad.reason), /"parameter":"model"/)
  assert.match(JSON.stringify(bad.reason), /"code":"modelNotFound"/)
  assert.equal(good.status, 'fulfilled')
  assert.equal(good.value?.[0].seed, 11)
}

async function hundredInParallel(): Promise<void> {
  const seeds = Array.from({ length: 100 }, (_, k) => 1000 + k)
  const answers = await Promise.all(seeds.map((seed) => client.requestImages(request({ seed }))))
  assert.deepEqual(answers.map((images) => images?.[0].seed), seeds)
}

/** The Node builds forget their listeners on a drop and ask again when their time is up. */
async function drop(): Promise<void> {
  const short = connect(apiKey, port, 15_000)
  await short.ensureConnection()
  const call = short.requestImages(request({ steps: 20, width: 256, height: 256, seed: 5 }))
  await new Promise((resolve) => setTimeout(resolve, 100))
  process.stdout.write(`${JSON.stringify({ request: 'cut' })}\n`)
  const images = await call
  assert.equal(images?.[0].seed, 5)
}

import { RunwareClient as RunwareClient13, RunwareServer as RunwareServer13 } from '@runware/sdk-js'
import { RunwareClient as RunwareClient11, RunwareServer as RunwareServer11 } from 'sdk-js-1-1'
import t from 'tap'
import { WebSocket } from 'ws'
import { startCuttingProxy } from './helpers/cutting-proxy.ts'
import { apiKey, model, serveReady } from '../helpers/served.ts'

const unknownKey = 'this-key-is-not-known-to-the-server'

/** The parts of the SDK's clients that the checks use; all four builds have them. */
interface SdkClient {
  ensureConnection(): Promise<unknown>
  requestImages(request: Record<string, unknown>): Promise<readonly SdkImage[] | undefined>
  disconnect(): Promise<void>
}

interface SdkImage {
  readonly taskUUID: string
  readonly imageUUID: string
  readonly imageURL?: string
  readonly seed?: number
  readonly cost?: number
}

type SdkBuild = new (options: { apiKey: string; url: string; timeoutDuration: number }) => unknown

const builds: readonly { readonly name: string; readonly build: SdkBuild; readonly isBrowser: boolean }[] = [
  { name: 'sdk-js 1.3.2 for Node', build: RunwareServer13, isBrowser: false },
  { name: 'sdk-js 1.3.2 for browsers', build: RunwareClient13, isBrowser: true },
  { name: 'sdk-js 1.1.46 for Node', build: RunwareServer11, isBrowser: false },
  { name: 'sdk-js 1.1.46 for browsers', build: RunwareClient11, isBrowser: true },
]

const request = (changes: Record<string, unknown> = {}) => ({
  model,
  positivePrompt: 'a red heart',
  width: 128,
  height: 128,
  steps: 2,
  numberResults: 1,
  ...changes,
})

for (const { name, build, isBrowser } of builds) {
  t.test(`${name} works unmodified`, { timeout: 200_000 }, async (t) => {
    if (isBrowser) Object.assign(globalThis, { WebSocket })
    const server = await serveReady(t)
    const proxy = await startCuttingProxy(server.port)
    const clients: SdkClient[] = []
    const connect = (key: string, timeoutDuration = 60_000) => {
      const client = new build({ apiKey: key, url: `ws://127.0.0.1:${proxy.port}/v1`, timeoutDuration }) as SdkClient
      clients.push(client)
      return client
    }
    const client = connect(apiKey)
    t.teardown(async () => {
      for (const one of clients) await one.disconnect().catch(() => {})
      await proxy.stop()
    })

    await t.test('connects', async () => {
      await client.ensureConnection()
    })

    await t.test('a wrong key rejects and does not reconnect', async (t) => {
      const stranger = connect(unknownKey)
      const error = await stranger.requestImages(request({ retry: 1 })).then(() => undefined, (reason: unknown) => reason)
      t.match(JSON.stringify(error), 'invalidApiKey')
    })

    await t.test('two results arrive, each reported as it comes', async (t) => {
      const partial: unknown[] = []
      const onPartialImages = (images: unknown) => partial.push(images)
      const images = (await client.requestImages(request({ numberResults: 2, seed: 7, includeCost: true, onPartialImages })))!
      t.equal(images.length, 2)
      t.equal(new Set(images.map((image) => image.imageUUID)).size, 2)
      t.strictSame(images.map((image) => image.seed).sort(), [7, 8])
      t.ok(partial.length >= 1)
      t.type(images[0].cost, 'number')
      const picture = await fetch(images[0].imageURL!)
      t.equal(picture.headers.get('content-type'), 'image/jpeg')
    })

    await t.test('an error reaches its caller with code and parameter and fails nobody else', async (t) => {
      const [bad, good] = await Promise.allSettled([
        client.requestImages(request({ model: 'nobody:has@this', retry: 1 })),
        client.requestImages(request({ seed: 11 })),
      ])
      t.equal(bad.status, 'rejected')
      const text = JSON.stringify(bad.status === 'rejected' ? bad.reason : undefined)
      t.match(text, '"parameter":"model"')
      t.match(text, /"code":"(modelNotFound|invalidModel)"/)
      t.equal(good.status === 'fulfilled' && good.value?.[0].seed, 11)
    })

    await t.test('100 parallel tasks each find their caller', async (t) => {
      const calls = Array.from({ length: 100 }, (_, k) => client.requestImages(request({ seed: 1000 + k })))
      const answers = await Promise.all(calls)
      t.strictSame(answers.map((images) => images?.[0].seed), Array.from({ length: 100 }, (_, k) => 1000 + k))
    })

    await t.test('a call survives a dropped connection', async (t) => {
      // The Node builds forget their listeners on a drop and ask again when their time is up.
      const short = connect(apiKey, 15_000)
      await short.ensureConnection()
      const call = short.requestImages(request({ steps: 20, width: 256, height: 256, seed: 5 }))
      await new Promise((resolve) => setTimeout(resolve, 100))
      proxy.cut()
      const images = await call
      t.equal(images?.[0].seed, 5)
    })
  })
}

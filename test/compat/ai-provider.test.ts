import { createRunware } from '@runware/ai-sdk-provider'
import { generateImage } from 'ai'
import t from 'tap'
import { apiKey, model, serveReady } from '../helpers/served.ts'

t.test('the Vercel AI SDK provider works unmodified over REST', { timeout: 120_000 }, async (t) => {
  const server = await serveReady(t)
  const baseURL = `http://127.0.0.1:${server.port}/v1`
  const runware = createRunware({ apiKey, baseURL })
  const ask = (options: Record<string, unknown> = {}, provider = runware, n = 1) =>
    generateImage({
      model: provider.image(model),
      prompt: 'a red heart',
      size: '128x128',
      n,
      maxRetries: 0,
      providerOptions: { runware: { steps: 2, ...options } },
    })

  await t.test('one picture', async (t) => {
    const { images } = await ask()
    t.equal(images.length, 1)
    t.equal(images[0].mediaType, 'image/png')
  })

  await t.test('two pictures', async (t) => {
    const { images } = await ask({}, runware, 2)
    t.equal(images.length, 2)
    t.not(images[0].base64, images[1].base64)
  })

  for (const outputType of ['base64Data', 'dataURI']) {
    await t.test(`a picture as ${outputType}`, async (t) => {
      const { images } = await ask({ outputType })
      t.ok(images[0].uint8Array.length > 100)
    })
  }

  await t.test('a wrong key is told to the user', async (t) => {
    const stranger = createRunware({ apiKey: 'this-key-is-not-known-to-the-server', baseURL })
    await t.rejects(ask({}, stranger), { message: /invalid api key/i })
  })

  await t.test('an error text reaches the user and fails nobody else', async (t) => {
    const unknown = generateImage({ model: runware.image('nobody:has@this'), prompt: 'a red heart', size: '128x128', maxRetries: 0 })
    const [bad, good] = await Promise.allSettled([unknown, ask()])
    t.equal(bad.status, 'rejected')
    t.match(String(bad.status === 'rejected' && bad.reason), /model/i)
    t.equal(good.status, 'fulfilled')
  })

  await t.test('100 parallel requests are all answered', async (t) => {
    const answers = await Promise.all(Array.from({ length: 100 }, () => ask()))
    t.equal(answers.filter(({ images }) => images.length === 1).length, 100)
  })
})

import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import t from 'tap'
import { Client, apiKey, makeTask, portOf, serve, untilReadiness } from '../../helpers/served.ts'
import type { Item } from '../../helpers/served.ts'

// What `npm start` offers, with its own worker.
t.setTimeout(280_000)

/** Compiled tests lie four folders below the repository's root. */
const models = fileURLToPath(new URL('../../../../models/', import.meta.url))
const side = 256

interface Picture {
  /** Mean red, green and blue of the corners, where nothing stands. */
  readonly corners: readonly number[]
  /** Mean column of the pixels in which blue prevails. */
  readonly blueColumn: number
  /** How much red, green and blue go up and down along the diagonal through the middle, across the stripes of a striped thing. */
  readonly changes: number
}

async function look(item: Item | undefined): Promise<Picture> {
  const data = await sharp(Buffer.from(String(item?.['imageBase64Data']), 'base64')).raw().toBuffer()
  const corners = [0, 0, 0]
  const columns: number[] = []
  for (let pixel = 0; pixel < side * side; pixel++) {
    const [x, y] = [pixel % side, Math.floor(pixel / side)]
    const [red = 0, green = 0, blue = 0] = data.subarray(3 * pixel, 3 * pixel + 3)
    if (Math.min(x, side - 1 - x) < 16 && Math.min(y, side - 1 - y) < 16) {
      for (const [channel, value] of [red, green, blue].entries()) corners[channel] = (corners[channel] as number) + value / 1024
    }
    if (blue > red + 60 && blue > green + 40) columns.push(x)
  }
  const at = (place: number, channel: number) => data[3 * (place * side + place) + channel] as number
  let changes = 0
  for (let place = 96; place < 160; place++) for (const channel of [0, 1, 2]) changes += Math.abs(at(place, channel) - at(place + 1, channel))
  return { corners, changes, blueColumn: columns.reduce((sum, x) => sum + x, 0) / columns.length }
}

t.test('the bundled set: LoRAs, an embedding and a guide image change the picture as they say', async t => {
  const served = serve(t, ['serve', '--port', '0', '--data', t.testdir(), '--models', models, '--api-key', apiKey, '--device', 'cpu'])
  const port = await portOf(served)
  for (const air of ['tiny', 'edges', 'neon', 'striped', 'arcade']) t.match(served.output(), `latentd:${air}@1`, 'the start names it')
  await untilReadiness(port, 200)
  const circle = await sharp(Buffer.from(`<svg width="${side}" height="${side}"><rect width="100%" height="100%"/><circle cx="84" cy="128" r="62" fill="none" stroke="white"/></svg>`)).png().toBuffer()
  const task = (choices: Item) => makeTask({
    model: 'latentd:tiny@1', positivePrompt: 'a blue circle', seed: 3, width: side, height: side, steps: 12, outputType: 'base64Data', outputFormat: 'PNG', ...choices,
  })
  const tasks = {
    plain: task({}),
    neon: task({ lora: [{ model: 'latentd:neon@1' }] }),
    striped: task({ lora: [{ model: 'latentd:striped@1' }] }),
    arcade: task({ positivePrompt: 'a blue circle, <arcade>', embeddings: [{ model: 'latentd:arcade@1' }] }),
    guided: task({ controlNet: [{ model: 'latentd:edges@1', guideImage: circle.toString('base64') }] }),
  }
  const client = await Client.open(t, port)
  client.send(...Object.values(tasks))
  const seen = async ({ taskUUID }: { readonly taskUUID: string }) => look((await client.results(taskUUID))[0])
  const [plain, neon, striped, arcade, guided] = await Promise.all(Object.values(tasks).map(seen)) as [Picture, Picture, Picture, Picture, Picture]
  const told = (values: readonly number[]) => values.map(Math.round).join(' ')
  t.ok(plain.corners.every(value => value > 200), `without anything the background is white: ${told(plain.corners)}`)
  t.ok(Math.abs(plain.blueColumn - side / 2) < 24, `and the circle is in the middle: ${plain.blueColumn}`)
  t.ok(neon.corners.every(value => value < 110), `neon is dark around: ${told(neon.corners)}`)
  t.ok(striped.corners.every(value => value > 200), `stripes leave the background white: ${told(striped.corners)}`)
  t.ok(striped.changes > plain.changes + 200, `and go over the circle: ${striped.changes} against ${plain.changes}`)
  const [red = 0, , blue = 0] = arcade.corners
  t.ok(red > blue + 60, `<arcade> is sunset around: ${told(arcade.corners)}`)
  t.ok(guided.blueColumn < 105, `the circle stands where the guide image has it: ${guided.blueColumn}`)
})

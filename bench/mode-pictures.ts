// `npm run docs:pictures [-- PICTURE…]`: makes the pictures of docs/modes with the bundled model, through a server, from the very requests of
// the pages. Those that begin with another page's picture come after it.
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packageRoot } from '../server/cli/package-root.ts'
import { picturesFolder, picturesIn, readModePages, withPictures } from './pages/mode-pages.ts'
import type { PageTask } from './pages/mode-pages.ts'
import { benchApiKey } from './processes/bench-socket.ts'
import { startServer } from './server/started-server.ts'

interface Answer {
  readonly data?: readonly { readonly imageBase64Data: string }[]
  readonly error?: { readonly message: string }
}

const folder = join(packageRoot(), picturesFolder)
const workFolder = await mkdtemp(join(tmpdir(), 'latentd-pages-'))
const chosen = process.argv.slice(2)
const pages = (await readModePages(packageRoot())).filter(({ picture }) => picture !== undefined && (chosen.length === 0 || chosen.includes(picture)))
const server = await startServer({ places: [] }, {}, { device: 'cpu', workFolder, progress: () => undefined })
try {
  for (const page of inOrder(pages)) {
    const bytes = await pictureOf(page)
    await writeFile(join(folder, page.picture ?? ''), bytes)
    console.log(`${page.picture}: ${bytes.length} bytes, from ${page.page}`)
  }
} finally {
  await server.stop()
  await rm(workFolder, { recursive: true })
}

/** What begins with another's picture comes after it; a picture that none of them makes is a file. */
function inOrder(tasks: readonly PageTask[]): readonly PageTask[] {
  const made = new Set<string>()
  const ordered: PageTask[] = []
  const add = (task: PageTask): void => {
    if (made.has(task.picture ?? '')) return
    made.add(task.picture ?? '')
    for (const name of picturesIn(task.task)) for (const other of tasks.filter(({ picture }) => picture === name)) add(other)
    ordered.push(task)
  }
  for (const task of tasks) add(task)
  return ordered
}

async function pictureOf({ task, page }: PageTask): Promise<Uint8Array> {
  const base64Of = (name: string) => readFileSync(join(folder, name)).toString('base64')
  const output = { taskUUID: randomUUID(), outputType: 'base64Data', outputFormat: 'WEBP', outputQuality: 92 }
  const response = await fetch(`http://127.0.0.1:${server.port}/v1`, {
    method: 'POST', headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${benchApiKey}` },
    body: JSON.stringify([{ ...withPictures(task, base64Of), ...output }]),
  })
  const { data, error } = (await response.json()) as Answer
  if (data?.[0] === undefined) throw new Error(`${page}: ${error?.message ?? 'no picture came'}`)
  return Buffer.from(data[0].imageBase64Data, 'base64')
}

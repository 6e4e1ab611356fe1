import { statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { picturesFolder, picturesIn, readModePages, withPictures } from '../../bench/pages/mode-pages.ts'
import { parseFrame } from '../../protocol/index.ts'
import { packageRoot } from '../../server/cli/package-root.ts'

const pages = await readModePages(packageRoot())
/** The largest that a picture of the documentation may be. */
const maxBytes = 40 * 1024

t.test('every request of the pages on modes is one that the protocol takes', async t => {
  for (const { page, task } of pages) {
    const text = JSON.stringify([withPictures(task, () => 'iVBORw0KGgo=')])
    const [element] = parseFrame(text, { maxTasksPerFrame: 1, strictParameters: true })
    t.equal(element?.type, 'task', `${page} ${JSON.stringify(element)}`)
  }
})

t.test('a request for the bundled model has its picture under it, and the pictures that it names are there', async t => {
  for (const { page, task, picture } of pages.filter(({ task: { model } }) => String(model).startsWith('latentd:'))) {
    if (task.uploadEndpoint === undefined) t.ok(picture, `${page} shows what it makes (npm run docs:pictures)`)
    for (const name of [picture ?? [], ...picturesIn(task)].flat()) t.ok(statSync(join(packageRoot(), picturesFolder, name)).size <= maxBytes, name)
  }
  t.ok(pages.filter(({ picture }) => picture !== undefined).length >= 5)
})

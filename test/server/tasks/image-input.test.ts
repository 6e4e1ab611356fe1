import t from 'tap'
import { readImageInput } from '../../../server/tasks/image-input.ts'

const base = 'https://pictures.example.org/api'
const uuid = '4f1c1d7e-0a1b-4c2d-8e3f-0123456789ab'
const read = (text: string) => readImageInput(text, base)

t.test('a UUID is a stored picture, in either case', async t => {
  t.same(read(uuid.toUpperCase()), { type: 'stored', imageUUID: uuid })
})

t.test('an http or https URL is a URL, but for our own pictures, which are never fetched', async t => {
  for (const url of ['http://x/y.png', 'HTTPS://X/y.png', `https://pictures.example.org/images/${uuid}.png`, `${base}/images/elsewhere.png`]) {
    t.same(read(url), { type: 'url', url }, url)
  }
  t.same(read(`${base}/images/${uuid}.jpg`), { type: 'stored', imageUUID: uuid })
})

t.test('a data URI and bare base64 are a file in the text', async t => {
  for (const head of ['data:image/png;base64,', 'data:image/webp;base64,', 'data:;base64,', 'DATA:image/jpeg;charset=utf-8;BASE64,', 'data:application/octet-stream;base64,']) {
    const text = `${head}iVBORw0KGgo`
    t.same(read(text), { type: 'inline', text, start: head.length }, head)
  }
  t.same(read('iVBORw0KGgo='), { type: 'inline', text: 'iVBORw0KGgo=', start: 0 })
})

t.test('nothing else is taken', async t => {
  const texts = ['data:image/png,abc', 'data:text/html;base64,AAAA', 'data:,', 'data:image/png;base64', 'file:///etc/passwd', 'ftp://x/y.png', 'javascript:alert(1)', 'blob:https://x/y']
  for (const text of texts) t.equal(read(text), undefined, text)
})

import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { openDataFolder } from '../../server/data-folder.ts'
import { StartError } from '../../server/start-error.ts'

t.test('the first start makes a secret of which every later one derives the same two', async t => {
  const folder = join(t.testdir(), 'deep', 'data')
  const first = await openDataFolder(folder)
  const second = await openDataFolder(folder)
  t.strictSame(second, first)
  t.equal(first.imageSecret.length, 32)
  t.notOk(first.imageSecret.equals(first.keyPepper))
  t.notMatch(await readFile(join(folder, 'server-secret'), 'utf8'), first.imageSecret.toString('hex'))
  const other = await openDataFolder(t.testdir())
  t.notOk(first.imageSecret.equals(other.imageSecret))
})

t.test('the secret is readable by its user alone, also after somebody widened it', async t => {
  const folder = join(t.testdir(), 'data')
  await openDataFolder(folder)
  t.equal((await stat(folder)).mode & 0o077, 0)
  await chmod(join(folder, 'server-secret'), 0o644)
  await openDataFolder(folder)
  t.equal((await stat(join(folder, 'server-secret'))).mode & 0o777, 0o600)
})

t.test('servers that start at once in one folder agree on its secret', async t => {
  const folder = join(t.testdir(), 'data')
  const opened = await Promise.all(Array.from({ length: 8 }, () => openDataFolder(folder)))
  t.equal(new Set(opened.map(({ imageSecret }) => imageSecret.toString('hex'))).size, 1)
  t.strictSame(await readdir(folder), ['server-secret'])
})

t.test('a data folder that cannot be one is refused with its name', async t => {
  const folder = join(t.testdir({ file: 'text' }), 'file')
  await t.rejects(openDataFolder(folder), { constructor: StartError, message: /The data folder .*file cannot be used/ })
})

t.test('a damaged secret is an error, never replaced in silence', async t => {
  const folder = t.testdir()
  await writeFile(join(folder, 'server-secret'), 'abc')
  await t.rejects(openDataFolder(folder), { constructor: StartError, message: /server-secret does not hold/ })
  t.equal(await readFile(join(folder, 'server-secret'), 'utf8'), 'abc')
})

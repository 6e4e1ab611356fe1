import { readFile, stat, writeFile } from 'node:fs/promises'
import t from 'tap'
import { createApiKey, digestApiKey } from '../../../server/access/api-key.ts'
import { FileAuthenticator } from '../../../server/access/file-authenticator.ts'
import { addKey, keyFilePath, readKeys, removeKey } from '../../../server/access/key-file.ts'
import { StartError } from '../../../server/start-error.ts'

const pepper = Buffer.alloc(32, 7)
const now = new Date('2026-01-02T03:04:05Z')

const authenticator = (dataFolder: string, configuredKeys: readonly string[] = []) =>
  new FileAuthenticator({ dataFolder, pepper, configuredKeys, onReloadError: () => {} })

t.test('a new key is long enough for every client and never the same', async (t) => {
  const keys = Array.from({ length: 200 }, () => createApiKey())
  t.equal(new Set(keys).size, keys.length)
  for (const key of keys) t.match(key, /^ltd_[0-9A-Za-z]{38}$/)
})

t.test('the last six characters of a key are a checksum of the rest', async (t) => {
  // zlib.crc32(b"ltd_" + b"0" * 32) in Python is 0xa62630e2, which is 32e9Tu in base 62.
  t.equal(createApiKey('0'.repeat(32)), `ltd_${'0'.repeat(32)}32e9Tu`)
})

t.test('a stored key authenticates and the file does not hold it', async (t) => {
  const folder = t.testdir()
  const { apiKey, entry } = await addKey(folder, pepper, { name: 'laptop' }, now)
  const access = authenticator(folder)
  await access.start()
  t.teardown(() => access.stop())
  t.strictSame(access.authenticate(apiKey), { account: entry.id, keyId: entry.id })
  t.equal(access.authenticate(`${apiKey}x`), undefined)
  t.equal(access.authenticate(''), undefined)
  const text = await readFile(keyFilePath(folder), 'utf8')
  t.notMatch(text, apiKey)
  t.match(text, digestApiKey(apiKey, pepper))
  t.equal((await stat(keyFilePath(folder))).mode & 0o777, 0o600)
})

t.test('keys of one account share it, others have their own', async (t) => {
  const folder = t.testdir()
  const first = await addKey(folder, pepper, { account: 'studio' }, now)
  const second = await addKey(folder, pepper, { account: 'studio' }, now)
  const third = await addKey(folder, pepper, {}, now)
  const access = authenticator(folder)
  await access.start()
  t.teardown(() => access.stop())
  t.equal(access.authenticate(first.apiKey)?.account, 'studio')
  t.equal(access.authenticate(second.apiKey)?.account, 'studio')
  t.not(access.authenticate(third.apiKey)?.account, 'studio')
})

t.test('a revoked key is refused by a server that is running', async (t) => {
  const folder = t.testdir()
  const kept = await addKey(folder, pepper, {}, now)
  const revoked = await addKey(folder, pepper, {}, now)
  const access = authenticator(folder)
  await access.start()
  t.teardown(() => access.stop())
  t.ok(access.authenticate(revoked.apiKey))
  t.equal(await removeKey(folder, revoked.entry.id), true)
  while (access.authenticate(revoked.apiKey)) await new Promise((resolve) => setTimeout(resolve, 50))
  t.ok(access.authenticate(kept.apiKey))
  t.equal(await removeKey(folder, revoked.entry.id), false)
})

t.test('configured keys work without a file and without an entry', async (t) => {
  const access = authenticator(t.testdir(), ['a-key-from-the-configuration'])
  await access.start()
  t.teardown(() => access.stop())
  const principal = access.authenticate('a-key-from-the-configuration')
  t.match(principal?.keyId, /^config-[0-9a-f]{12}$/)
  t.notMatch(principal?.keyId, 'a-key')
})

t.test('a damaged key file stops the start and names the file', async (t) => {
  const folder = t.testdir()
  await writeFile(keyFilePath(folder), '{"keys":[{"id":1}]}')
  await t.rejects(readKeys(folder), StartError)
  await t.rejects(readKeys(folder), { message: /api-keys\.json/ })
})

t.test('another pepper makes every key unknown', async (t) => {
  const folder = t.testdir()
  const { apiKey } = await addKey(folder, pepper, {}, now)
  const access = new FileAuthenticator({ dataFolder: folder, pepper: Buffer.alloc(32, 8), configuredKeys: [], onReloadError: () => {} })
  await access.start()
  t.teardown(() => access.stop())
  t.equal(access.authenticate(apiKey), undefined)
})

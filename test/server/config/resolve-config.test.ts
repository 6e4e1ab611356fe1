import t from 'tap'
import type { ConfigSources } from '../../../server/config/config-sources.ts'
import { withDefaultPlaces } from '../../../server/config/default-places.ts'
import { configOptions } from '../../../server/config/generated/options.ts'
import { resolveConfig } from '../../../server/config/resolve-config.ts'
import { StartError } from '../../../server/start-error.ts'

const none: ConfigSources = { flags: {}, env: {} }

function file(content: unknown): ConfigSources {
  return { ...none, file: { path: '/etc/latentd.json', text: JSON.stringify(content) } }
}

function messageOf(sources: Partial<ConfigSources>): string {
  try {
    resolveConfig({ ...none, ...sources })
  } catch (error) {
    if (error instanceof StartError) return error.message
    throw error
  }
  throw new Error('accepted')
}

t.test('without any source every setting has its default', async t => {
  const config = resolveConfig(none)
  t.match(config, { host: '127.0.0.1', port: 4747, device: 'auto', strictParameters: false, apiKeys: [], sessions: { idleTimeoutSeconds: 120, resumeWindowSeconds: 120 } })
  t.same(config.prices, { perImage: 0, perMegapixelStep: 0, models: {} })
  t.equal(config.limits.maxFrameBytes, 32 * 2 ** 20)
})

t.test('a flag wins over the environment, which wins over the file, which wins over the default', async t => {
  const sources = { ...file({ port: 1, host: 'file', logLevel: 'warn' }), env: { LATENTD_PORT: '2', LATENTD_HOST: 'env' }, flags: { port: '3' } }
  t.match(resolveConfig(sources), { port: 3, host: 'env', logLevel: 'warn', maxRows: 32 })
})

t.test('every setting is reachable by its flag, its variable and its key', async t => {
  const texts: Readonly<Record<string, string>> = { string: 'x', integer: '700', number: '700', boolean: 'true', array: 'sixteen-characters', json: '{"perImage":700}' }
  const special: Readonly<Record<string, string>> = { device: 'cpu', precision: 'int8', logLevel: 'debug', publicUrl: 'https://x', 'limits.maxWriterBytes': '99999', 'limits.maxFrameBytes': '2000', 'limits.maxUnauthenticatedFrameBytes': '2000', 'limits.maxImageBytes': '2000', 'limits.maxImageBytesPerAccount': '2000' }
  const read = (config: unknown, key: string) => key.split('.').reduce<unknown>((node, part) => (node as Record<string, unknown>)[part], config)
  for (const option of configOptions) {
    const text = special[option.key] ?? texts[option.type] ?? ''
    const given = option.type === 'array' ? [text] : text
    const byFlag = read(resolveConfig({ ...none, flags: { [option.flag]: given } }), option.key)
    const byEnv = read(resolveConfig({ ...none, env: { [option.env]: text } }), option.key)
    t.same(byFlag, byEnv, option.key)
    t.notSame(byFlag, option.default, `${option.key} changes`)
    const path = option.key.split('.').reverse()
    const nested = path.reduce<unknown>((value, part) => ({ [part]: value }), option.type === 'array' ? ['/abs-sixteen-chars'] : byFlag)
    t.doesNotThrow(() => resolveConfig(file(nested)), option.key)
  }
})

t.test('flags and variables are unique', async t => {
  for (const field of ['key', 'flag', 'env'] as const) t.equal(new Set(configOptions.map(option => option[field])).size, configOptions.length)
})

t.test('a wrong value is refused with what was expected and where it came from', async t => {
  t.equal(messageOf({ flags: { port: 'abc' } }), 'The flag --port must be a whole number from 0 to 65535, got "abc".')
  t.equal(messageOf({ env: { LATENTD_PORT: '70000' } }), 'The environment variable LATENTD_PORT must be a whole number from 0 to 65535, got 70000.')
  t.equal(messageOf(file({ port: 1.5 })), 'port in /etc/latentd.json must be a whole number from 0 to 65535, got 1.5.')
  t.match(messageOf({ flags: { device: 'gpu' } }), 'auto, cpu, or cuda')
  t.match(messageOf({ flags: { 'public-url': 'ftp://x' } }), 'an http or https URL')
  t.match(messageOf({ flags: { 'log-level': 'loud' } }), 'one of fatal, error')
  t.match(messageOf({ flags: { 'strict-parameters': 'maybe' } }), 'true or false')
  t.match(messageOf({ flags: { 'sessions-idle-timeout-seconds': '0' } }), 'a number above 0')
  t.match(messageOf({ flags: { prices: '{' } }), 'JSON object')
  t.match(messageOf({ flags: { prices: '{"models":{"a:b@c":{"perImage":-1}}}' } }), 'JSON object')
})

t.test('a short key is refused and not shown', async t => {
  const message = messageOf({ flags: { 'api-key': ['hunter2'] } })
  t.match(message, '16 to 512 characters')
  t.notMatch(message, 'hunter2')
})

t.test('a file has to be a JSON object of known settings', async t => {
  t.match(messageOf({ file: { path: '/f', text: '{' } }), '/f must be JSON')
  t.match(messageOf({ file: { path: '/f', text: '[]' } }), 'must hold a JSON object')
  t.match(messageOf(file({ prot: 1 })), '"prot", which does not exist')
  t.match(messageOf(file({ limits: { foo: 1 } })), '"limits.foo", which does not exist')
  t.match(messageOf(file({ limits: 5 })), 'limits in /etc/latentd.json must be an object of settings')
  t.match(messageOf({ file: { path: '/f', text: '{"__proto__":{}}' } }), '/f must be JSON')
})

t.test('places in a file are relative to it', async t => {
  t.match(resolveConfig(file({ models: ['m', '/n'], data: 'd' })), { models: ['/etc/m', '/n'], data: '/etc/d' })
  t.match(resolveConfig({ ...none, flags: { models: ['m'], data: 'd' } }), { models: ['m'], data: 'd' })
})

t.test('without places the bundled model and the data folder of the user are taken', async t => {
  const config = resolveConfig(none)
  t.match(withDefaultPlaces(config, { HOME: '/home/u' }, '/pkg/models'), { models: ['/pkg/models'], data: '/home/u/.local/share/latentd' })
  t.match(withDefaultPlaces(config, { HOME: '/home/u', XDG_DATA_HOME: '/x' }, '/pkg/models'), { data: '/x/latentd' })
})

t.test('the configuration cannot be changed', async t => {
  const config = resolveConfig(none)
  t.throws(() => Object.assign(config.limits, { maxFrameBytes: 1 }), TypeError)
  t.throws(() => Object.assign(config, { port: 1 }), TypeError)
})

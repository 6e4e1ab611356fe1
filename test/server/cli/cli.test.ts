import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { configOptions } from '../../../server/config/generated/options.ts'

/** Compiled tests lie three folders below the output folder. */
const cli = fileURLToPath(new URL('../../../server/cli.js', import.meta.url))

function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<{ code: number; out: string; err: string }> {
  return new Promise(resolve => {
    execFile(process.execPath, [cli, ...args], { env: { PATH: process.env['PATH'], ...env } }, (error, out, err) =>
      resolve({ code: error ? Number(error.code) : 0, out, err }))
  })
}

t.test('the help names every command and every setting with flag, variable and key', async t => {
  const { code, out } = await run(['--help'])
  t.equal(code, 0)
  for (const command of ['serve', 'models', 'keys', 'doctor']) t.match(out, new RegExp(`^  ${command}`, 'm'))
  const help = (await run(['serve', '--help'])).out.replace(/\s+/g, ' ')
  for (const { flag, env, key } of configOptions) t.ok(help.includes(`--${flag} `) && help.includes(`env: ${env};`) && help.includes(`key: ${key})`), key)
})

t.test('the version is that of the package', async t => {
  t.match((await run(['--version'])).out, /^\d+\.\d+\.\d+\n$/)
})

t.test('wrong flags and values end with a sentence and a status', async t => {
  const cases: readonly [readonly string[], RegExp, Record<string, string>?][] = [
    [['serve', '--port', 'abc'], /^latentd: The flag --port must be a whole number from 0 to 65535, got "abc"\.$/m],
    [['serve', '--nope'], /unknown option '--nope'/],
    [['serve', 'extra'], /too many arguments/],
    [['nope'], /unknown command 'nope'/],
    [['serve'], /LATENTD_DEVICE must be auto, cpu, or cuda/, { LATENTD_DEVICE: 'gpu' }],
    [['serve', '--config', '/does/not/exist'], /\/does\/not\/exist cannot be read/],
    [['keys', 'create', '--account', ''], /^latentd: The flag --account must be a text of 1 to 100 characters on one line\.$/m],
    [['models', 'list', '--models', '/does/not/exist'], /^latentd: No models can be read: the models folder "\/does\/not\/exist" is not there\. /m],
    [['serve', '--data', '/proc/latentd'], /^latentd: The data folder \/proc\/latentd cannot be used /m],
    [['keys', 'list', '--port', '1'], /unknown option '--port'/],
  ]
  for (const [args, expected, env] of cases) {
    const { code, err } = await run(args, env)
    t.equal(code, 1, args.join(' '))
    t.match(err, expected)
    t.notMatch(err, /^\s+at /m, 'no stack trace')
  }
})

t.test('keys are created, listed without themselves, and revoked', async t => {
  const data = t.testdir()
  const created = await run(['keys', 'create', '--data', data, '--name', 'laptop', '--account', 'me'])
  const apiKey = /ltd_\w+/.exec(created.out)?.[0] ?? ''
  t.ok(apiKey.length >= 30)
  const listed = (await run(['keys', 'list'], { LATENTD_DATA: data })).out
  t.match(listed, /laptop/)
  t.notMatch(listed, apiKey)
  const id = /^(\S+)\s+me\s/m.exec(listed)?.[1] ?? ''
  t.equal((await run(['keys', 'revoke', id, '--data', data])).code, 0)
  t.match(await run(['keys', 'revoke', id, '--data', data]), { code: 1, err: /There is no key of the id/ })
})

t.test('models list prints those that work and why others do not', async t => {
  const models = t.testdir({ 'models.json': JSON.stringify({ models: [{ air: 'local:gone@1', type: 'checkpoint', path: 'gone' }] }) })
  const { code, out } = await run(['models', 'list', '--models', models])
  t.equal(code, 0)
  t.match(out, /cannot be used: local:gone@1: /)
})

t.test('a file of settings that is no JSON is refused with the place, not with what stands there', async t => {
  const path = join(t.testdir(), 'latentd.json')
  writeFileSync(path, '{\n  "apiKeys": ["secret-secret-secret",]\n}')
  const { code, err } = await run(['serve', '--config', path])
  t.equal(code, 1)
  t.match(err, /latentd\.json must be JSON, and it (stops being so at line 2, column \d+|cannot be parsed)\.$/m)
  t.notMatch(err, 'secret-secret')
})

t.test('a reader that leaves is no failure', async t => {
  const child = spawn(process.execPath, [cli, 'serve', '--help'], { stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.destroy()
  const errors = child.stderr.setEncoding('utf8').toArray()
  const [code] = await once(child, 'close') as [number]
  t.equal(code, 0)
  t.equal((await errors).join(''), '')
})

t.test('a file of settings is read by the flag or the variable', async t => {
  const path = join(t.testdir(), 'latentd.json')
  writeFileSync(path, JSON.stringify({ port: 'x' }))
  for (const [args, env] of [[['serve', '--config', path], {}], [['serve'], { LATENTD_CONFIG: path }]] as const) {
    t.match((await run(args, env)).err, / port in .*latentd\.json must be a whole number/)
  }
})

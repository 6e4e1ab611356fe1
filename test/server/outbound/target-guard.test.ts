import t from 'tap'
import { TargetGuard } from '../../../server/outbound/target-guard.ts'

const names: Readonly<Record<string, readonly string[]>> = {
  'public.example': ['93.184.216.34'],
  'mixed.example': ['93.184.216.34', '10.0.0.1'],
  'inside.example': ['10.0.0.1'],
  'six.example': ['2606:4700::1111', '::ffff:10.0.0.1'],
  'localhost.': ['127.0.0.1'],
  localhost: ['127.0.0.1'],
}

async function resolve(hostname: string) {
  const found = names[hostname]
  if (!found) throw new Error('ENOTFOUND')
  return found.map(address => ({ address, family: address.includes(':') ? 6 : 4 }))
}

const guard = new TargetGuard({ privateHosts: [], resolve })
const refused = { name: 'TargetRefusedError' }

t.test('a public host is given with the address to connect to', async t => {
  t.match(await guard.check('https://public.example/a.png?b=c'), { address: '93.184.216.34', family: 4, url: { pathname: '/a.png' } })
  t.match(await guard.check('http://8.8.8.8/'), { address: '8.8.8.8', family: 4 })
  t.match(await guard.check('http://[2606:4700::1111]/'), { address: '2606:4700::1111', family: 6 })
})

t.test('a host with any address that is not public is refused, by name and by address, in every spelling', async t => {
  const urls = [
    'http://inside.example/', 'http://mixed.example/', 'http://six.example/', 'http://localhost/', 'http://localhost./', 'http://127.0.0.1/', 'http://127.1/', 'http://2130706433/',
    'http://0x7f000001/', 'http://0177.0.0.1/', 'http://0/', 'http://[::1]/', 'http://[::ffff:127.0.0.1]/', 'http://[::ffff:7f00:1]/', 'http://[64:ff9b::7f00:1]/',
    'http://[64:ff9b:1::1]/', 'http://[2002:7f00:1::]/', 'http://169.254.169.254/latest/meta-data/', 'http://100.64.0.1/', 'http://１２７.０.０.１/', 'http://[fe80::1]/',
  ]
  for (const url of urls) await t.rejects(guard.check(url), { ...refused, message: 'the host has no public address' }, url)
})

t.test('other schemes, other ports and credentials are refused', async t => {
  const urls = [
    'file:///etc/passwd', 'gopher://public.example/', 'data:image/png;base64,AAAA', 'ftp://public.example/', 'http://public.example:22/', 'https://public.example:8443/',
    'http://user@public.example/', 'http://user:secret@public.example/', 'http://', 'no url', `http://public.example/${'a'.repeat(9000)}`,
  ]
  for (const url of urls) await t.rejects(guard.check(url), refused, url.slice(0, 40))
  t.match(await guard.check('http://public.example:443/'), { address: String })
})

t.test('an unknown name is told from a refused one', async t => {
  await t.rejects(guard.check('http://unknown.example/'), { name: 'HostUnknownError' })
})

t.test('a listed host may be private; listed with a port, at that port alone', async t => {
  const open = new TargetGuard({ privateHosts: ['inside.example', '127.0.0.1:8080', '[::1]:81'], resolve })
  t.match(await open.check('http://inside.example/'), { address: '10.0.0.1' })
  t.match(await open.check('http://127.0.0.1:8080/'), { address: '127.0.0.1' })
  t.match(await open.check('http://[::1]:81/'), { address: '::1' })
  for (const url of ['http://inside.example:8080/', 'http://127.0.0.1/', 'http://127.0.0.1:81/', 'http://localhost:8080/']) await t.rejects(open.check(url), refused, url)
})

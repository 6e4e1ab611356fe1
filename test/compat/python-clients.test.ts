import t from 'tap'
import { startCuttingProxy } from './helpers/cutting-proxy.ts'
import { pythonWith, runChecks } from './helpers/python.ts'
import { apiKey, model, serveReady } from '../helpers/served.ts'

const clients = [
  { requirement: 'runware==0.5.24', script: 'runware_legacy.py' },
  { requirement: 'runware-sdk==1.8.0', script: 'runware_sdk.py' },
]

for (const { requirement, script } of clients) {
  t.test(`the PyPI package ${requirement} works unmodified`, { timeout: 280_000 }, async (t) => {
    const found = await pythonWith(requirement)
    if ('missing' in found) {
      t.pass('not run', { skip: found.missing })
      return
    }
    const server = await serveReady(t)
    const proxy = await startCuttingProxy(server.port)
    t.teardown(() => proxy.stop())
    const checks = await runChecks(found.python, script, [String(proxy.port), apiKey, model], () => proxy.cut())
    for (const { check, ok, detail } of checks) t.ok(ok, check, ok ? {} : { detail })
    t.ok(checks.length >= 7, 'every check was made')
  })
}

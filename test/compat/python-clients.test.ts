import { join } from 'node:path'
import t from 'tap'
import { apiKey, model, serveReady } from '../helpers/served.ts'
import { runClient } from './helpers/client-process.ts'
import { startCuttingProxy } from './helpers/cutting-proxy.ts'
import { pythonScripts, pythonWith } from './helpers/python.ts'

const clients = [
  { requirement: 'runware==0.5.24', script: 'runware_legacy.py', checks: 7 },
  { requirement: 'runware-sdk==1.8.0', script: 'runware_sdk.py', checks: 14 },
]

for (const { requirement, script, checks } of clients) {
  t.test(`the PyPI package ${requirement} works unmodified`, { timeout: 280_000 }, async (t) => {
    const found = await pythonWith(requirement)
    if ('missing' in found) {
      t.pass('not run', { skip: found.missing })
      return
    }
    const server = await serveReady(t)
    const proxy = await startCuttingProxy(server.port)
    t.teardown(() => proxy.stop())
    const made = await runClient(t, [found.python, join(pythonScripts, script), String(proxy.port), apiKey, model], () => proxy.cut())
    t.equal(made, checks, 'every check was made')
  })
}

import { fileURLToPath } from 'node:url'
import t from 'tap'
import { apiKey, model, serveReady } from '../helpers/served.ts'
import { runClient } from './helpers/client-process.ts'
import { startCuttingProxy } from './helpers/cutting-proxy.ts'

const client = fileURLToPath(new URL('./clients/sdk-js.js', import.meta.url))

for (const build of ['1.3.2-node', '1.3.2-browser', '1.1.46-node', '1.1.46-browser']) {
  t.test(`@runware/sdk-js ${build} works unmodified`, { timeout: 280_000 }, async (t) => {
    const server = await serveReady(t)
    const proxy = await startCuttingProxy(server.port)
    t.teardown(() => proxy.stop())
    const made = await runClient(t, [process.execPath, client, build, String(proxy.port), apiKey, model], () => proxy.cut())
    t.equal(made, 6, 'every check was made')
  })
}

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
    const strangers = await startCuttingProxy(server.port)
    t.teardown(() => Promise.all([proxy.stop(), strangers.stop()]))
    const args = [build, String(proxy.port), String(strangers.port), apiKey, model]
    const made = await runClient(t, [process.execPath, client, ...args], () => proxy.cut())
    t.equal(made, 6, 'every check was made')
    // The browser builds' socket connects again after every close, whatever its code; no server can tell it not to.
    if (build === '1.3.2-node') t.equal(strangers.accepted, 1, 'C10 a wrong key does not connect again')
  })
}

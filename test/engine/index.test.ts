import t from 'tap'
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

await t.test('importing the engine loads neither the runtime nor the image library', async (t) => {
  const index = fileURLToPath(new URL('../../engine/index.js', import.meta.url))
  const script = `
    const { createRequire } = await import('node:module')
    await import(${JSON.stringify(index)})
    const require = createRequire(${JSON.stringify(index)})
    const loaded = [...Object.keys(require.cache), ...process.report.getReport().sharedObjects]
    console.log(JSON.stringify(loaded.filter((file) => /onnxruntime|sharp|libvips/.test(file))))
  `
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script])
  t.same(JSON.parse(stdout), [])
})

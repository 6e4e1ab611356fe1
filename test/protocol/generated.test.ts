import { readFileSync } from 'node:fs'
import t from 'tap'
import { generatedFiles } from '../../schemas/generated-files.ts'

t.test('the generated files are those that the schemas give', async t => {
  for (const [path, text] of await generatedFiles('.')) t.ok(readFileSync(path, 'utf8') === text, `${path} (npm run generate)`)
})

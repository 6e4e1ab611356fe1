// `npm run bench:readme [-- --check]`: makes the performance sections of README.md from the results that they name.
import { readFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { packageRoot } from '../server/cli/package-root.ts'
import { fillPerformance } from './report/readme-section.ts'
import type { Report } from './report/report.ts'

const path = join(packageRoot(), 'README.md')
const present = await readFile(path, 'utf8')
const wanted = fillPerformance(present, file => JSON.parse(readFileSync(join(packageRoot(), file), 'utf8')) as Report)
if (present === wanted) console.log('README.md says what the results say')
else if (process.argv.includes('--check')) {
  console.log('README.md differs from the results that it names; npm run bench:readme')
  process.exitCode = 1
} else {
  await writeFile(path, wanted)
  console.log('README.md written')
}

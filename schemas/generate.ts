import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { generatedFiles } from './generated-files.ts'

// Writes every generated file; with --check only tells which of them differ, and fails when any does.
const isCheck = process.argv.includes('--check')
const root = process.cwd()
const stale: string[] = []
for (const [path, text] of await generatedFiles(root)) {
  const present = await readFile(join(root, path), 'utf8').catch(() => undefined)
  if (present === text) continue
  stale.push(path)
  if (isCheck) continue
  await mkdir(dirname(join(root, path)), { recursive: true })
  await writeFile(join(root, path), text)
}
for (const path of stale) console.log(`${isCheck ? 'differs from the schemas' : 'written'}: ${path}`)
if (isCheck && stale.length > 0) process.exitCode = 1

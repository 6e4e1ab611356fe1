import { readFileSync } from 'node:fs'
import t from 'tap'
import { CloseCode, errorCodes } from '../../protocol/index.ts'

const page = readFileSync('PROTOCOL.md', 'utf8')

function rowsOf(heading: string): string[] {
  const section = page.split(/^## /m).find(part => part.startsWith(heading)) ?? ''
  return [...section.matchAll(/^\| `([^`]+)` \|/gm)].map(([, name]) => name ?? '')
}

t.test('the page lists exactly the error codes of the registry', async t => {
  t.same(rowsOf('Errors').sort(), [...errorCodes].sort())
})

t.test('the page lists exactly the close codes', async t => {
  t.same(rowsOf('Close codes').map(Number).sort(), Object.values(CloseCode).sort())
})

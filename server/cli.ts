#!/usr/bin/env node
import { createProgram } from './cli/program.ts'
import { terminalLogFor } from './log-lines.ts'
import { DefectError } from './shutdown.ts'
import { StartError } from './start-error.ts'

// Whoever read the output may leave (`latentd serve | head`); that ends no server.
process.stdout.on('error', ignoreClosedPipe)
process.stderr.on('error', ignoreClosedPipe)

const terminalLog = terminalLogFor(process.stderr)
const program = createProgram({
  env: process.env,
  print: line => void process.stdout.write(`${line}\n`),
  now: () => new Date(),
  events: process,
  ...(terminalLog && { terminalLog }),
})
try {
  await program.parseAsync(process.argv)
} catch (error) {
  if (!(error instanceof StartError || error instanceof DefectError)) throw error
  process.stderr.write(`latentd: ${error.message}\n`)
  process.exit(1)
}

function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error
}

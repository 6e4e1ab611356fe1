#!/usr/bin/env node
import { createProgram } from './cli/program.ts'
import { StartError } from './start-error.ts'

const program = createProgram({
  env: process.env,
  print: line => void process.stdout.write(`${line}\n`),
  now: () => new Date(),
  signals: process,
})
try {
  await program.parseAsync(process.argv)
} catch (error) {
  if (!(error instanceof StartError)) throw error
  process.stderr.write(`latentd: ${error.message}\n`)
  process.exit(1)
}

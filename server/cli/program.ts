import { Command } from 'commander'
import { addConfigFlags, readConfig } from './config-flags.ts'
import type { CliContext } from './cli-context.ts'
import { runDoctor } from './doctor.ts'
import { createKey, listKeys, revokeKey } from './keys.ts'
import { listModels } from './models.ts'
import { packageVersion } from './package-root.ts'

/** The command line: every command, flag and help text. */
export function createProgram(context: CliContext): Command {
  const program = new Command('latentd')
    .description('Self-hosted realtime image-inference server that speaks the Runware task protocol.')
    .version(packageVersion(), '--version', 'print the version')
    .helpOption('--help', 'print this help')
    .configureHelp({ helpWidth: 110, showGlobalOptions: false })
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'latentd: ')) })
    .showHelpAfterError('(latentd --help lists commands; latentd COMMAND --help their flags)')

  const serve = program.command('serve').description('Start the server.')
    .addHelpText('after', '\nEach flag is also an environment variable and a key of the JSON file; a flag wins over the environment, which wins over the file.')
  addConfigFlags(serve)
  serve.action(async () => {
    // Loaded here so that the other commands do not pay for the server.
    const { serve: run } = await import('./serve.ts')
    await run(readConfig(serve, context.env), context)
  })

  const models = program.command('models').description('Look at the models.')
  const list = models.command('list').description('List the models that would be served, and those that cannot be.')
  addConfigFlags(list, ['models'])
  list.action(() => listModels(readConfig(list, context.env), context))

  addKeyCommands(program, context)

  const doctor = program.command('doctor').description('Say what can compute here, what is missing and how to get it.')
  addConfigFlags(doctor, ['device'])
  doctor.action(() => runDoctor(readConfig(doctor, context.env), context))
  return program
}

function addKeyCommands(program: Command, context: CliContext): void {
  const keys = program.command('keys').description('Manage API keys.')
  const create = keys.command('create').description('Make a key and print it; it is shown only now.')
    .option('--account <NAME>', 'account whose tasks and sessions the key shares (default: one of its own)')
    .option('--name <TEXT>', 'what the key is for, for the list')
  addConfigFlags(create, ['data'])
  create.action(() => createKey(readConfig(create, context.env), create.opts(), context))

  const list = keys.command('list').description('List the keys; the keys themselves are not kept.')
  addConfigFlags(list, ['data'])
  list.action(() => listKeys(readConfig(list, context.env), context))

  const revoke = keys.command('revoke').description('Make a key useless, at once on a running server too.')
    .argument('<ID>', 'the id that `latentd keys list` shows')
  addConfigFlags(revoke, ['data'])
  revoke.action((id: string) => revokeKey(readConfig(revoke, context.env), id, context))
}

import { parseArgs } from 'node:util'
import type { Selection } from './scenarios.ts'

/** What the command was asked for. */
export interface BenchOptions extends Selection {
  readonly help: boolean
  readonly list: boolean
  readonly compare?: readonly [string, string]
  /** Of scenarios; the project's own where absent. */
  readonly scenarios?: string
  readonly device: string
  /** Hard limit of the whole run. */
  readonly minutes: number
  readonly out?: string
}

/** The command line is not as expected. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

export const usage = `npm run bench -- [options]

  --list                what can be measured
  --only NAMES          only scenarios whose names begin so; separated by commas, of every set
  --set NAME            default, long or cuda                                          (default)
  --device DEVICE       cpu or cuda:0                                 (cpu; cuda:0 for the set cuda)
  --minutes N           hard limit of the whole run                                         (15)
  --scenarios DIR       another folder of scenarios
  --out FILE            where the results go        (bench/results/<date>-<time>-<commit>.json)
  --compare OLD NEW     compares two files of results instead of measuring
`

const sets = ['default', 'long', 'cuda'] as const

/** Reads the command line. Throws a UsageError. */
export function readOptions(args: readonly string[]): BenchOptions {
  const { values, positionals } = parse(args)
  const set = sets.find(name => name === values.set)
  if (!set) throw new UsageError(`--set has to be one of ${sets.join(', ')}, not ${values.set}`)
  const minutes = Number(values.minutes)
  if (!(minutes > 0)) throw new UsageError(`--minutes has to be a number above 0, not ${values.minutes}`)
  const [older, newer] = positionals
  if (values.compare ? positionals.length !== 2 : positionals.length > 0) throw new UsageError(values.compare ? '--compare takes two files' : `${older} is not expected here`)
  return {
    help: values.help, list: values.list, set, minutes,
    only: values.only.flatMap(names => names.split(',')).filter(Boolean),
    device: values.device ?? (set === 'cuda' ? 'cuda:0' : 'cpu'),
    ...(values.compare && { compare: [older as string, newer as string] as const }),
    ...(values.scenarios !== undefined && { scenarios: values.scenarios }),
    ...(values.out !== undefined && { out: values.out }),
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        help: { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
        compare: { type: 'boolean', default: false },
        only: { type: 'string', multiple: true, default: [] },
        set: { type: 'string', default: 'default' },
        device: { type: 'string' },
        minutes: { type: 'string', default: '15' },
        scenarios: { type: 'string' },
        out: { type: 'string' },
      },
    })
  } catch (cause) {
    throw new UsageError((cause as Error).message)
  }
}

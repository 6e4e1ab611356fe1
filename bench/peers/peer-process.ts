import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { packageRoot } from '../../server/cli/package-root.ts'
import { SkippedError } from '../bench-context.ts'

/** What the other engines said of themselves at their start. */
export interface PeerFacts {
  readonly engines: readonly string[]
  /** Those that cannot be asked for a single step. */
  readonly picturesOnly: readonly string[]
  /** Why an engine cannot be used. */
  readonly missing: Readonly<Record<string, string>>
  readonly versions: Readonly<Record<string, string | number>>
}

/** What `tools/bench/peers.py` is told. */
export type PeerCommand =
  | { readonly command: 'open'; readonly engine: string }
  | { readonly command: 'pictures'; readonly count: number; readonly width: number; readonly height: number; readonly steps: number; readonly guidance: number }
  | { readonly command: 'step'; readonly rows: number; readonly width: number; readonly height: number; readonly repeats: number }
  | { readonly command: 'close' }

interface PeerAnswer {
  readonly seconds?: number
  readonly error?: string
}

/** A Python process with other engines in it; answers one command after the other. */
export class PeerProcess {
  readonly facts: PeerFacts
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #lines: AsyncIterator<string>

  private constructor(child: ChildProcessByStdio<Writable, Readable, null>, lines: AsyncIterator<string>, facts: PeerFacts) {
    this.#child = child
    this.#lines = lines
    this.facts = facts
  }

  /** Starts it on a diffusers folder. Skips the scenario where Python or diffusers is not at hand. */
  static async start(folder: string, device: string): Promise<PeerProcess> {
    const python = findPython()
    const child = spawn(python, [join(packageRoot(), 'tools/bench/peers.py'), folder, device], { stdio: ['pipe', 'pipe', 'inherit'] })
    // A pipe that breaks is told of by the end of the answers.
    child.stdin.on('error', () => undefined)
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    return new PeerProcess(child, lines, JSON.parse(await nextLine(lines)) as PeerFacts)
  }

  /** Gives the seconds the command took; 0 for one that is not measured. Throws what the other side says went wrong. */
  async ask(command: PeerCommand): Promise<number> {
    this.#child.stdin.write(`${JSON.stringify(command)}\n`)
    const { seconds = 0, error } = JSON.parse(await nextLine(this.#lines)) as PeerAnswer
    if (error !== undefined) throw new Error(error)
    return seconds
  }

  stop(): void {
    this.#child.kill('SIGKILL')
  }
}

/** `LATENTD_BENCH_PYTHON`, else the python3 of the path, where it has diffusers. */
function findPython(): string {
  const python = process.env['LATENTD_BENCH_PYTHON'] ?? 'python3'
  try {
    execFileSync(python, ['-c', 'import diffusers, torch, transformers'], { stdio: 'ignore' })
    return python
  } catch {
    throw new SkippedError(`${python} has no diffusers; LATENTD_BENCH_PYTHON names a Python that has it, with torch and transformers`)
  }
}

async function nextLine(lines: AsyncIterator<string>): Promise<string> {
  const { done, value } = await lines.next()
  if (done) throw new Error('The process of the other engines has ended')
  return value
}

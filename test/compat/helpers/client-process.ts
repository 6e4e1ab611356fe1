import { spawn } from 'node:child_process'
import type { Test } from 'tap'

/** One check that a client's process made and what came of it. */
interface Check {
  readonly check: string
  readonly ok: boolean
  readonly detail: string
}

/**
 * Runs a client in a process of its own, so that whatever it leaves running ends with it, and makes each check it reports an assertion.
 * The client prints one JSON line a check, or `{"request":"cut"}` to have its connections cut. Returns how many checks it made.
 */
export async function runClient(t: Test, command: readonly [string, ...string[]], onCut: () => void): Promise<number> {
  let checks = 0
  const [program, ...args] = command
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  let stderr = ''
  let pending = ''
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  child.stdout.on('data', (chunk: Buffer) => {
    const lines = (pending + chunk.toString()).split('\n')
    pending = lines.pop() ?? ''
    for (const line of lines) {
      if (!line.startsWith('{')) continue
      const message = JSON.parse(line) as Check | { readonly request: 'cut' }
      if ('request' in message) onCut()
      else {
        checks++
        t.ok(message.ok, message.check, message.ok ? {} : { detail: message.detail })
      }
    }
  })
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  t.equal(code, 0, 'the client ends by itself', code === 0 ? {} : { stderr: stderr.slice(-2000) })
  return checks
}

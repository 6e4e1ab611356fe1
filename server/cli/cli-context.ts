import type { TerminalLog } from '../log-lines.ts'
import type { ProcessEvents } from '../shutdown.ts'

/** What a command needs of its process. */
export interface CliContext {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Writes one line for the user. */
  readonly print: (line: string) => void
  readonly now: () => Date
  /** Where a server's log goes when a person reads it; JSON lines on stderr where absent. */
  readonly terminalLog?: TerminalLog
  /** Where signals to stop come from, and what nobody caught. */
  readonly events: ProcessEvents
}

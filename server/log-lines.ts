/** Facts that a person at a terminal needs no second time: they stand in front of the line. */
const shownInFront = new Set(['level', 'time', 'event'])

/** Where a log's lines go. */
export interface LogDestination {
  write(line: string): void
}

/** A log's lines for a person at a terminal. */
export interface TerminalLog extends LogDestination {
  /** Writes what was held back, and holds nothing back from now on. */
  release(): void
}

/** A stream of the process, which may be a terminal. */
export interface MaybeTerminal {
  readonly isTTY?: boolean
  write(text: string): unknown
}

/** A log for a person where the stream is a terminal; undefined where a program reads it, which gets JSON lines. */
export function terminalLogFor(stream: MaybeTerminal): TerminalLog | undefined {
  return stream.isTTY ? createTerminalLog(text => void stream.write(text)) : undefined
}

/** Writes log lines in a form to read; holds them back until `release`, so that they do not come between other output. */
export function createTerminalLog(write: (text: string) => void): TerminalLog {
  let held: string[] | undefined = []
  return {
    write: line => {
      const text = `${formatLogLine(line)}\n`
      if (held) held.push(text)
      else write(text)
    },
    release: () => {
      const texts = held ?? []
      held = undefined
      for (const text of texts) write(text)
    },
  }
}

/** One JSON line of the log as time, event and facts; a line that is no JSON object stays as it is. */
export function formatLogLine(line: string): string {
  const entry = parse(line)
  if (!entry) return line.trimEnd()
  const { level, time, event, error } = entry
  const at = typeof time === 'string' ? new Date(time).toTimeString().slice(0, 8) : ''
  const severity = level === 'info' || level === undefined ? '' : `${String(level).toUpperCase()} `
  const facts = Object.entries(entry).filter(([name]) => !shownInFront.has(name)).map(([name, value]) => `${name}=${show(value)}`)
  const stack = stackOf(error)
  return [`${at}  ${severity}${String(event ?? '')}`, ...facts].join('  ') + (stack === undefined ? '' : `\n${stack}`)
}

function parse(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? value as Readonly<Record<string, unknown>> : undefined
  } catch {
    // A line of something else than the log is shown as it came.
    return undefined
  }
}

function show(value: unknown): string {
  if (typeof value === 'string') return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)
  const message = fieldOf(value, 'stack') === undefined ? undefined : fieldOf(value, 'message')
  return JSON.stringify(message ?? value)
}

function stackOf(error: unknown): string | undefined {
  const stack = fieldOf(error, 'stack')
  return typeof stack === 'string' ? stack.replace(/^/gm, '    ') : undefined
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined
}

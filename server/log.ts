import { pino } from 'pino'
import type { LogDestination } from './log-lines.ts'

/** The least severity that is logged. */
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'

/** Facts of a log event: ids, counts, times. */
export type LogFields = Readonly<Record<string, unknown>>

/**
 * Writes events, not prose: a stable event name and its facts, one JSON line each.
 * Keys and prompts never reach the output, wherever they stand among the facts; errors go under `error`.
 */
export interface Log {
  debug(event: string, fields?: LogFields): void
  info(event: string, fields?: LogFields): void
  warn(event: string, fields?: LogFields): void
  error(event: string, fields?: LogFields): void
  /** A log whose events all carry these facts. */
  with(fields: LogFields): Log
}

/** What a log is made of. */
export interface LogOptions {
  readonly level: LogLevel
  /** Where the lines go; stderr where absent, because stdout belongs to the command's own output. */
  readonly destination?: LogDestination
}

/** Facts that are never written, in lower case. */
const secretNames = new Set([
  'apikey', 'apikeys', 'authorization', 'key', 'keys', 'pepper', 'secret', 'token',
  'prompt', 'negativeprompt', 'positiveprompt', 'imagebase64data', 'imagedatauri',
])

/** Nesting beyond this is not logged; it also ends cycles. */
const maxDepth = 5

/** Each level writes what follows it here. */
const severities: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']

/** Opens the log of a process. pino's destination writes apart from the event loop, and what is left when the process ends. */
export function createLog({ level, destination = pino.destination({ dest: 2, sync: false }) }: LogOptions): Log {
  return logTo(destination, severities.indexOf(level), {})
}

/** A log that writes nothing. */
export const silentLog: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  with: () => silentLog,
}

// A line is put together whole and written by one JSON.stringify, which takes a third of the time that pino's own lines take.
function logTo(destination: LogDestination, least: number, facts: LogFields): Log {
  const isoTime = createIsoTime()
  const at = (level: LogLevel) => severities.indexOf(level) < least ? ignore : (event: string, fields: LogFields = {}) => {
    const entry: Record<string, unknown> = { level, time: isoTime(), ...facts }
    addRedacted(entry, fields, 0)
    entry['event'] = event
    destination.write(`${JSON.stringify(entry)}\n`)
  }
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    with: fields => logTo(destination, least, addRedacted({ ...facts }, fields, 0)),
  }
}

function ignore(): void {}

/** The present time as text, made once for each millisecond. */
function createIsoTime(): () => string {
  let madeAt = Number.NaN
  let text = ''
  return () => {
    const now = Date.now()
    if (now !== madeAt) text = new Date(now).toISOString()
    madeAt = now
    return text
  }
}

/** A copy without secrets. Redaction by name at every depth, where a list of paths would miss the next place. */
function redact(value: unknown, depth: number): unknown {
  if (value instanceof Error) return describeError(value, depth)
  if (typeof value === 'string') return withoutControlCharacters(value)
  if (typeof value === 'bigint') return value.toString()
  if (typeof value !== 'object' || value === null) return value
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  if (depth >= maxDepth) return '[deep]'
  if (Array.isArray(value)) return value.map(item => redact(item, depth + 1))
  return addRedacted({}, value, depth)
}

function addRedacted(copy: Record<string, unknown>, object: object, depth: number): LogFields {
  for (const name of Object.keys(object)) {
    const item = (object as LogFields)[name]
    copy[name] = secretNames.has(name.toLowerCase()) ? '[redacted]' : typeof item === 'number' ? item : redact(item, depth + 1)
  }
  return copy
}

function describeError(error: Error, depth: number): LogFields {
  const cause = error.cause === undefined || depth >= maxDepth ? {} : { cause: redact(error.cause, depth + 1) }
  return { type: error.name, message: withoutControlCharacters(error.message), stack: error.stack, ...cause }
}

/** A terminal that shows the log must not obey what a client wrote. JSON escapes most of these already, but not all. */
function withoutControlCharacters(text: string): string {
  return hasControlCharacter.test(text) ? text.replace(controlCharacters, '\ufffd') : text
}

const controlCharacters = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g
const hasControlCharacter = new RegExp(controlCharacters.source)

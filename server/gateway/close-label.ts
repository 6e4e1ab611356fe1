import { CloseCode } from '../../protocol/index.ts'

/** Codes of RFC 6455 that peers and their programs close with: done, going away, none given, no close frame. */
const peersCodes = [1000, 1001, 1005, 1006]

const known: ReadonlySet<number> = new Set([...Object.values(CloseCode), ...peersCodes])

/** A close code as a metric's label: a peer may choose among thousands, and each would be a series for good. */
export function closeLabelOf(code: number): string {
  return known.has(code) ? String(code) : 'other'
}

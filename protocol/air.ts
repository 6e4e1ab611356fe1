/** The parts of a Runware model identifier, `source:id@version`. */
export interface Air {
  readonly source: string
  readonly id: string
  readonly version: string
}

const maxLength = 200
const grammar = /^([A-Za-z0-9-]+):([A-Za-z0-9._-]+)@([A-Za-z0-9._-]+)$/

/** Reads an AIR; undefined when the text is none. An AIR is looked up, never made part of a path. */
export function parseAir(text: string): Air | undefined {
  if (text.length > maxLength) return undefined
  const [, source, id, version] = grammar.exec(text) ?? []
  return source === undefined || id === undefined || version === undefined ? undefined : { source, id, version }
}

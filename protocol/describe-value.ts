const maxShown = 64

/** A value for a message: short, on one line, without control characters. */
export function describeValue(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'null'
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (typeof value === 'object') return 'an object'
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  const text = String(value)
  // JSON writes control characters and lone surrogates as escapes.
  return text.length > maxShown ? `${JSON.stringify(text.slice(0, maxShown))}…` : JSON.stringify(text)
}

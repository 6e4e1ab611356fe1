/**
 * Finds what a value asks for: undefined for null, false, 0, '', and for lists and objects that hold nothing else;
 * otherwise the path of the first value inside that asks for something, '' for the value itself.
 */
export function findRequest(value: unknown): string | undefined {
  if (value === undefined || value === null || value === false || value === 0 || value === '') return undefined
  if (Array.isArray(value)) return value.some(item => findRequest(item) !== undefined) ? '' : undefined
  if (typeof value !== 'object') return ''
  for (const [key, member] of Object.entries(value)) {
    const inner = findRequest(member)
    if (inner !== undefined) return inner === '' ? key : `${key}.${inner}`
  }
  return undefined
}

import { ModelError } from './model-error.ts'

const MOST_NAMES = 3

/** Throws a ModelError for tensors that nothing uses: configuration and weights do not belong together. */
export function refuseUnused(names: readonly string[]): void {
  if (names.length === 0) return
  const shown = names.slice(0, MOST_NAMES).join(', ')
  const rest = names.length - MOST_NAMES
  const what = `${names.length === 1 ? 'a tensor' : 'tensors'} (${shown}${rest > 0 ? ` and ${rest} more` : ''})`
  throw new ModelError(`its weights hold ${what} that nothing in the model uses`)
}

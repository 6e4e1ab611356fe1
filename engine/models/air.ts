import { createHash } from 'node:crypto'

const AIR = /^[a-z0-9-]+:[A-Za-z0-9._-]+@[A-Za-z0-9._-]+$/
const MAX_AIR_LENGTH = 200
const MAX_SLUG_LENGTH = 100

/** Whether a text is a model identifier, `source:id@version`. */
export function isAir(text: string): boolean {
  return text.length <= MAX_AIR_LENGTH && AIR.test(text)
}

/** The form under which identifiers are compared: their case does not matter. */
export function airKey(air: string): string {
  return air.toLowerCase()
}

/**
 * The identifier of a model that nobody gave one, from its file or folder name: `My Model.safetensors` → `local:my-model@1`.
 * `isTaken` says which are given out; then a part of the name's hash follows, so that a name keeps its identifier.
 */
export function derivedAir(name: string, isTaken: (air: string) => boolean): string {
  const slug = slugOf(name)
  const plain = `local:${slug || `model-${shortHash(name)}`}@1`
  return isTaken(plain) && slug ? `local:${slug}-${shortHash(name)}@1` : plain
}

/** A name without its `.safetensors`, in lower case, each run of other characters than letters, digits and dots made a dash. */
export function slugOf(name: string): string {
  const dashed = name
    .replace(/\.safetensors$/i, '')
    .toLowerCase()
    .replace(/[^a-z0-9.]+/g, '-')
  return dashed.slice(0, MAX_SLUG_LENGTH).replace(/^[-.]+|[-.]+$/g, '')
}

function shortHash(name: string): string {
  return createHash('sha256').update(name).digest('hex').slice(0, 8)
}

import { addKey, readKeys, removeKey } from '../access/key-file.ts'
import type { PlacedConfig } from '../config/default-places.ts'
import { openDataFolder } from '../data-folder.ts'

/** A key made because there was none. */
export interface FirstKey {
  readonly apiKey: string
  /** Takes it back, when nobody has seen it. */
  remove(): Promise<void>
}

/** Makes the first key of a server that has none at all; undefined where there are keys. */
export async function makeFirstKey({ data, apiKeys }: PlacedConfig, now: Date): Promise<FirstKey | undefined> {
  const { path, keyPepper } = await openDataFolder(data)
  if (apiKeys.length > 0 || (await readKeys(path)).length > 0) return undefined
  const { apiKey, entry } = await addKey(path, keyPepper, { name: 'first start' }, now)
  return { apiKey, remove: async () => void await removeKey(path, entry.id) }
}

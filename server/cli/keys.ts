import { addKey, readKeys, removeKey } from '../access/key-file.ts'
import type { PlacedConfig } from '../config/default-places.ts'
import { openDataFolder } from '../data-folder.ts'
import { StartError } from '../start-error.ts'
import type { CliContext } from './cli-context.ts'
import { formatTable } from './table.ts'

/** Longest name or account of a key. */
const maxTextLength = 100

/** Makes a key and prints it. */
export async function createKey({ data }: PlacedConfig, made: { readonly account?: string; readonly name?: string }, { print, now }: CliContext): Promise<void> {
  for (const flag of ['account', 'name'] as const) refuseOdd(flag, made[flag])
  const { path, keyPepper } = await openDataFolder(data)
  const { apiKey, entry } = await addKey(path, keyPepper, made, now())
  print(`API key (shown only now): ${apiKey}`)
  print(`id: ${entry.id}   account: ${entry.account}`)
}

/** Lists what is known of each key. */
export async function listKeys({ data }: PlacedConfig, { print }: CliContext): Promise<void> {
  const keys = await readKeys((await openDataFolder(data)).path)
  if (keys.length === 0) return print('There are no keys; make one with: latentd keys create')
  const rows = keys.map(({ id, account, name, createdAt }) => [id, account, createdAt, name])
  for (const line of formatTable([['ID', 'ACCOUNT', 'CREATED', 'NAME'], ...rows])) print(line)
}

/** Removes a key. Throws a StartError when there is none of that id. */
export async function revokeKey({ data }: PlacedConfig, id: string, { print }: CliContext): Promise<void> {
  if (!await removeKey((await openDataFolder(data)).path, id)) throw new StartError(`There is no key of the id ${JSON.stringify(id.slice(0, 100))}; latentd keys list shows them.`)
  print(`Revoked ${id}.`)
}

/** Refuses what could not be told apart in a list, or would act on the terminal that shows it. */
function refuseOdd(flag: string, text: string | undefined): void {
  if (text === undefined) return
  if (text.trim() === '' || text.length > maxTextLength || /\p{Cc}/u.test(text)) {
    throw new StartError(`The flag --${flag} must be a text of 1 to ${maxTextLength} characters on one line.`)
  }
}

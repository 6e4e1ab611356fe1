import { ModelError, openRegistry } from '../../engine/index.ts'
import type { PlacedConfig } from '../config/default-places.ts'
import { describeModelFolderError } from '../model-folder-error.ts'
import { StartError } from '../start-error.ts'
import type { CliContext } from './cli-context.ts'
import { formatTable } from './table.ts'

/** Lists the models of the folders, and those that cannot be used with the reason. */
export async function listModels({ models: folders }: PlacedConfig, { print }: CliContext): Promise<void> {
  const registry = await openRegistry(folders).catch((cause: unknown) => {
    throw cause instanceof ModelError ? new StartError(describeModelFolderError(cause.message), { cause }) : cause
  })
  const rows = registry.models.map(({ air, type, family, name }) => [air, type, family ?? '-', name])
  if (rows.length > 0) for (const line of formatTable([['MODEL', 'TYPE', 'FAMILY', 'NAME'], ...rows])) print(line)
  else print(`There are no usable models in ${folders.join(', ')}.`)
  for (const { air, reason } of registry.broken) print(`cannot be used: ${air}: ${reason}`)
}

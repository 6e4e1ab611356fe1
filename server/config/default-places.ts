import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Config } from './generated/config.ts'

/** A configuration in which the places have been decided too. */
export type PlacedConfig = Config & { readonly data: string; readonly models: readonly string[] }

/** Fills in where models and data lie when nobody says it. */
export function withDefaultPlaces(config: Config, env: Readonly<Record<string, string | undefined>>, bundledModels: string): PlacedConfig {
  const base = env['XDG_DATA_HOME'] || join(env['HOME'] || homedir(), '.local', 'share')
  const models = config.models === undefined || config.models.length === 0 ? [bundledModels] : config.models
  return Object.freeze({ ...config, data: config.data ?? join(base, 'latentd'), models })
}

import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { FoundEntry } from './find-entries.ts'
import { ModelType } from './model-spec.ts'
import type { ModelSpec } from './model-spec.ts'

/** Folder of a checkpoint in diffusers' form where its own safety checker lies. */
const OWN_FOLDER = 'safety_checker'

/** The safety checker that a checkpoint's folder brings along, as an entry of its own: a broken one does not harm the checkpoint. */
export async function ownSafetyChecker({ folder, path }: FoundEntry, { type, air, name, path: real }: ModelSpec): Promise<readonly FoundEntry[]> {
  if (type !== ModelType.checkpoint || !(await stat(join(real, OWN_FOLDER, 'config.json')).catch(() => undefined))) return []
  const own = { air: air.replace('@', '-safety-checker@'), type: ModelType.safetyChecker, path: join(path, OWN_FOLDER), name: `${name}: safety checker` }
  return [{ folder, path: own.path, fileName: OWN_FOLDER, declared: own }]
}

/** Tells each checkpoint which safety checker judges its pictures: its own, else the first one that is offered by itself. */
export function assignSafetyCheckers(models: ReadonlyMap<string, ModelSpec>): ReadonlyMap<string, ModelSpec> {
  const checkers = [...models.values()].filter(({ type }) => type === ModelType.safetyChecker)
  const owners = new Map(checkers.map(({ path, air }) => [path, air]))
  const checkpoints = [...models.values()].filter(({ type }) => type === ModelType.checkpoint)
  const ownPaths = new Set(checkpoints.map(({ path }) => join(path, OWN_FOLDER)))
  const shared = checkers.find(({ path }) => !ownPaths.has(path))?.air
  return new Map([...models].map(([key, model]) => {
    const safetyChecker = model.type === ModelType.checkpoint ? (owners.get(join(model.path, OWN_FOLDER)) ?? shared) : undefined
    return [key, safetyChecker === undefined ? model : Object.freeze({ ...model, safetyChecker })]
  }))
}

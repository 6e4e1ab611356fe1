import { ConfigError } from '../architectures/config-error.ts'
import { WeightError } from '../weights/weight-error.ts'
import { ModelError } from './model-error.ts'

/**
 * Why a model cannot be used, as a sentence that may be shown to anybody; undefined for an error that is a bug.
 * Errors of the file system are named by their code alone, because their messages hold paths.
 */
export function modelFailure(error: unknown): string | undefined {
  if (error instanceof ModelError || error instanceof WeightError || error instanceof ConfigError) return error.message
  const code = (error as { code?: unknown } | undefined)?.code
  return typeof code === 'string' && /^E[A-Z]+$/.test(code) ? `its files cannot be read (${code})` : undefined
}

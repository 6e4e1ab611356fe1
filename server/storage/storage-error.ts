/** Why a picture could not be stored or read. */
export const StorageFault = {
  /** No space, or no quota, is left. */
  full: 'full',
  /** Anything else: no permission, too many open files, a broken disk. */
  unavailable: 'unavailable',
} as const
export type StorageFault = (typeof StorageFault)[keyof typeof StorageFault]

/** A store that cannot do its work; the message names no path. */
export class StorageError extends Error {
  override readonly name = 'StorageError'
  readonly fault: StorageFault

  constructor(fault: StorageFault, message: string, cause: unknown) {
    super(message, { cause })
    this.fault = fault
  }
}

/** Translates a file system error. */
export function toStorageError(cause: unknown): StorageError {
  const code = errnoOf(cause)
  if (code === 'ENOSPC' || code === 'EDQUOT') return new StorageError(StorageFault.full, 'The image store has no space left', cause)
  return new StorageError(StorageFault.unavailable, `The image store cannot be used (${code ?? 'unknown error'})`, cause)
}

/** The system's name of an error, such as ENOENT. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

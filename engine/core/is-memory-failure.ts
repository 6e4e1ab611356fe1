const memoryWords = /failed to allocate|bad_?alloc|out of memory|alloc_failed|not enough memory/i

/** Whether a run failed for want of device memory; the runtime says so in words only. */
export function isMemoryFailure(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (memoryWords.test(cause.message)) return true
  }
  return false
}

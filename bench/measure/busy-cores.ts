import { cpus } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * How many cores are at work for others while this process waits. The load average would count what the bench itself did
 * in the minute before.
 * @param ms how long to look
 */
export async function busyCores(ms = 1000): Promise<number> {
  const before = ticks()
  await sleep(ms)
  const after = ticks()
  return after.reduce((sum, { busy, all }, core) => sum + (busy - (before[core]?.busy ?? 0)) / Math.max(1, all - (before[core]?.all ?? 0)), 0)
}

function ticks(): readonly { readonly busy: number; readonly all: number }[] {
  return cpus().map(({ times: { user, nice, sys, irq, idle } }) => ({ busy: user + nice + sys + irq, all: user + nice + sys + irq + idle }))
}

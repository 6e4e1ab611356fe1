import type { NetworkLora } from '../models/loaded-model.ts'
import type { NetworkLoraUse } from './network-lora-use.ts'

/**
 * Most ranks of LoRAs in one run. Every row pays for the ranks of its neighbours, so that beyond this a second run is cheaper
 * than a common one; and the weights of all of them lie in memory once more.
 */
const MAX_RANKS = 128

/**
 * Divides rows into runs, by index, so that none has more than `maxRows` of them nor more ranks of LoRAs than are worth it.
 * What one row takes is never divided.
 */
export function groupRows(rows: readonly (readonly NetworkLoraUse[])[], maxRows: number): readonly (readonly number[])[] {
  const groups: Group[] = []
  rows.forEach((uses, index) => {
    const fitting = groups.find((group) => group.indices.length < maxRows && fits(group, uses))
    const group = fitting ?? { indices: [], loras: new Set(), ranks: 0 }
    if (!fitting) groups.push(group)
    group.ranks += ranksAddedTo(group.loras, uses)
    for (const { lora } of uses) group.loras.add(lora)
    group.indices.push(index)
  })
  return groups.map(({ indices }) => indices)
}

interface Group {
  readonly indices: number[]
  readonly loras: Set<NetworkLora>
  ranks: number
}

/** A row whose LoRAs are all there costs nothing more, however many ranks they have. */
function fits({ loras, ranks }: Group, uses: readonly NetworkLoraUse[]): boolean {
  const added = ranksAddedTo(loras, uses)
  return ranks + added <= MAX_RANKS || (added === 0 && uses.length > 0)
}

function ranksAddedTo(present: ReadonlySet<NetworkLora>, uses: readonly NetworkLoraUse[]): number {
  if (uses.length === 0) return 0
  const added = new Set(uses.map(({ lora }) => lora))
  return [...added].reduce((sum, lora) => (present.has(lora) ? sum : sum + lora.rank), 0)
}

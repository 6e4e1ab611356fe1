import { setTimeout as sleep } from 'node:timers/promises'
import type { MixedRequest } from '../measure/request-mix.ts'
import type { TaskClient } from './task-client.ts'

/** What a load uses of a client. */
type PictureClient = Pick<TaskClient, 'picture'>

/** What a load gave. */
export interface LoadResult {
  readonly perSecond: number
  readonly ms: readonly number[]
}

/** Clients that each wait for their picture before they send the next request, until all requests are done. */
export async function closedLoop(clients: readonly PictureClient[], requests: readonly MixedRequest[]): Promise<LoadResult> {
  const left = [...requests]
  const ms: number[] = []
  const startedAt = performance.now()
  await Promise.all(clients.map(async client => {
    for (let next = left.shift(); next; next = left.shift()) ms.push(await client.picture(next.task))
  }))
  return { perSecond: ms.length / (performance.now() - startedAt) * 1000, ms }
}

/** Requests sent at their times, whatever has become of the ones before. */
export async function openLoop(client: PictureClient, requests: readonly MixedRequest[], arrivals: readonly number[]): Promise<LoadResult> {
  const startedAt = performance.now()
  const ms = await Promise.all(arrivals.map(async (at, index) => {
    await sleep(at)
    await client.picture(requestAt(requests, index).task)
    // From when it should have been sent: a late timer of this process counts against nobody but the server it shares the machine with.
    return performance.now() - startedAt - at
  }))
  return { perSecond: ms.length / (performance.now() - startedAt) * 1000, ms }
}

/** The same arrivals before a server that does one picture after the other. */
export async function oneAtATime(client: PictureClient, requests: readonly MixedRequest[], arrivals: readonly number[]): Promise<LoadResult> {
  const startedAt = performance.now()
  const ms: number[] = []
  for (const [index, at] of arrivals.entries()) {
    const early = startedAt + at - performance.now()
    if (early > 0) await sleep(early)
    await client.picture(requestAt(requests, index).task)
    ms.push(performance.now() - startedAt - at)
  }
  return { perSecond: ms.length / (performance.now() - startedAt) * 1000, ms }
}

function requestAt(requests: readonly MixedRequest[], index: number): MixedRequest {
  return requests[index % requests.length] as MixedRequest
}

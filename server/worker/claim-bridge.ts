import type { Lease, TaskClaimer } from '../queue/contract.ts'
import type { Channel } from './channel.ts'
import type { ClaimCall, ClaimResponse, FromWorker, WireLease } from './ipc-messages.ts'

/** What a bridge stands between. */
export interface ClaimBridgeOptions {
  readonly worker: string
  readonly queue: TaskClaimer
  readonly channel: Channel<ClaimResponse, FromWorker>
}

/** The gateway's end of an IpcClaimer: makes a worker process's calls on the queue. Its owner calls `close` when that process has ended. */
export class ClaimBridge {
  readonly #worker: string
  readonly #queue: TaskClaimer
  readonly #channel: Channel<ClaimResponse, FromWorker>
  readonly #leases = new Map<number, Lease>()
  readonly #claims = new Map<number, AbortController>()
  #nextLease = 1
  #isClosed = false

  constructor({ worker, queue, channel }: ClaimBridgeOptions) {
    this.#worker = worker
    this.#queue = queue
    this.#channel = channel
    channel.onMessage(message => this.#receive(message))
  }

  /** Keeps the worker's leases; for as long as its owner knows it to be alive. */
  async renew(): Promise<void> {
    await this.#queue.renew(this.#worker)
  }

  /** The worker is dead: its tasks are given out again. Idempotent. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const controller of this.#claims.values()) controller.abort(new Error('The worker has ended'))
    this.#leases.clear()
    await this.#queue.abandon(this.#worker)
  }

  #receive(message: FromWorker): void {
    if (this.#isClosed) return
    if (message.type === 'call') void this.#answer(message.id, message.call)
    else if (message.type === 'abortCall') this.#claims.get(message.id)?.abort(new Error('The worker withdrew its claim'))
  }

  async #answer(id: number, call: ClaimCall): Promise<void> {
    try {
      const value = await this.#perform(id, call)
      this.#channel.send({ type: 'reply', id, value })
    } catch (error) {
      this.#channel.send({ type: 'refusal', id, message: error instanceof Error ? error.message : String(error) })
    }
  }

  async #perform(id: number, call: ClaimCall): Promise<unknown> {
    switch (call.method) {
      case 'claim':
      case 'claimForNewcomers':
        return this.#claim(id, call.method, call.room)
      case 'commit':
        return this.#queue.commit(this.#lease(call.lease), call.result)
      case 'fail':
        return this.#end(call.lease, lease => this.#queue.fail(lease, call.error))
      case 'settle':
        return this.#end(call.lease, lease => this.#queue.settle(lease))
      case 'giveBack':
        return this.#end(call.lease, lease => this.#queue.giveBack(lease))
      default: {
        const never: never = call
        throw new Error(`Unknown call ${String(never)}`)
      }
    }
  }

  async #claim(id: number, method: 'claim' | 'claimForNewcomers', room: number): Promise<readonly WireLease[]> {
    const controller = new AbortController()
    this.#claims.set(id, controller)
    try {
      const leases = await this.#queue[method](this.#worker, room, controller.signal)
      return leases.map(lease => this.#hold(lease))
    } finally {
      this.#claims.delete(id)
    }
  }

  #hold(lease: Lease): WireLease {
    const id = this.#nextLease++
    this.#leases.set(id, lease)
    // Told a turn later: the worker has to hear of the lease before it hears of its end.
    const tell = () => setImmediate(() => this.#tellEnd(id, lease))
    lease.signal.addEventListener('abort', tell, { once: true })
    if (lease.signal.aborted) tell()
    const { record, committed, isRetry } = lease
    return { id, record, committed, isRetry }
  }

  #tellEnd(id: number, { signal }: Lease): void {
    if (!this.#leases.has(id)) return
    const reason = signal.reason instanceof Error ? signal.reason.message : 'The lease has ended'
    this.#channel.send({ type: 'leaseEnded', lease: id, reason })
  }

  #lease(id: number): Lease {
    const lease = this.#leases.get(id)
    if (!lease) throw new Error('A worker used a lease that it does not have')
    return lease
  }

  async #end(id: number, end: (lease: Lease) => Promise<void>): Promise<void> {
    await end(this.#lease(id))
    this.#leases.delete(id)
  }
}

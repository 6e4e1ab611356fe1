import type { ErrorBody } from '../../protocol/error-body.ts'
import type { Lease, TaskClaimer } from '../queue/contract.ts'
import { LeaseEndedError } from '../queue/memory-lease.ts'
import type { CommittedResult } from '../queue/task-record.ts'
import type { Channel } from './channel.ts'
import type { ClaimCall, ClaimRequest, ToWorker, WireLease } from './ipc-messages.ts'

/** What a worker process uses of the queue; whether a worker is dead is for others to say. */
export type WorkerClaims = Omit<TaskClaimer, 'abandon'>

interface PendingCall {
  /** Called while the reply is being received, before any later message is. */
  readonly onReply: (value: unknown) => void
  readonly reject: (error: Error) => void
}

interface HeldLease {
  readonly id: number
  readonly controller: AbortController
}

/** The queue as a worker process sees it: calls go to the gateway's process over a channel. */
export class IpcClaimer implements WorkerClaims {
  readonly #channel: Channel<ClaimRequest, ToWorker>
  readonly #calls = new Map<number, PendingCall>()
  readonly #leases = new Map<Lease, HeldLease>()
  #nextCall = 1
  #isClosed = false

  constructor(channel: Channel<ClaimRequest, ToWorker>) {
    this.#channel = channel
    channel.onMessage(message => this.#receive(message))
    channel.onClose(() => this.#close())
  }

  claim(worker: string, room: number, signal: AbortSignal): Promise<readonly Lease[]> {
    return this.#claim('claim', worker, room, signal)
  }

  claimForNewcomers(worker: string, room: number, signal: AbortSignal): Promise<readonly Lease[]> {
    return this.#claim('claimForNewcomers', worker, room, signal)
  }

  async #claim(method: 'claim' | 'claimForNewcomers', worker: string, room: number, signal: AbortSignal): Promise<readonly Lease[]> {
    signal.throwIfAborted()
    const id = this.#nextCall
    const onAbort = () => this.#channel.send({ type: 'abortCall', id })
    signal.addEventListener('abort', onAbort)
    try {
      // Held as the reply comes in: the end of a lease may be the very next message, in the same turn.
      return await this.#call({ method, room }, value => (value as readonly WireLease[]).map(lease => this.#hold(worker, lease)))
    } catch (error) {
      throw signal.aborted ? signal.reason : error
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  async renew(): Promise<void> {
    this.#channel.send({ type: 'alive' })
  }

  async commit(lease: Lease, result: CommittedResult): Promise<'committed' | 'superseded'> {
    return await this.#call({ method: 'commit', lease: this.#idOf(lease), result }, value => value as 'committed' | 'superseded')
  }

  async fail(lease: Lease, error: ErrorBody): Promise<void> {
    await this.#end(lease, id => ({ method: 'fail', lease: id, error }))
  }

  async settle(lease: Lease): Promise<void> {
    await this.#end(lease, id => ({ method: 'settle', lease: id }))
  }

  async giveBack(lease: Lease): Promise<void> {
    await this.#end(lease, id => ({ method: 'giveBack', lease: id }))
  }

  #hold(worker: string, { id, record, committed, isRetry }: WireLease): Lease {
    const controller = new AbortController()
    const lease: Lease = { worker, record, committed, isRetry, signal: controller.signal }
    this.#leases.set(lease, { id, controller })
    return lease
  }

  async #end(lease: Lease, makeCall: (id: number) => ClaimCall): Promise<void> {
    const id = this.#idOf(lease)
    await this.#call(makeCall(id), () => this.#leases.delete(lease))
  }

  #idOf(lease: Lease): number {
    const held = this.#leases.get(lease)
    if (!held) throw new Error('A lease was used after its end')
    return held.id
  }

  #call<T>(call: ClaimCall, read: (value: unknown) => T): Promise<T> {
    if (this.#isClosed) return Promise.reject(new LeaseEndedError('The gateway is gone'))
    const id = this.#nextCall++
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { onReply: value => resolve(read(value)), reject })
      this.#channel.send({ type: 'call', id, call })
    })
  }

  #receive(message: ToWorker): void {
    switch (message.type) {
      case 'reply':
        return this.#take(message.id)?.onReply(message.value)
      case 'refusal':
        return this.#take(message.id)?.reject(new Error(message.message))
      case 'leaseEnded':
        for (const { id, controller } of this.#leases.values()) {
          if (id === message.lease) controller.abort(new LeaseEndedError(message.reason))
        }
        return
      case 'start':
      case 'drain':
        return // the worker's, not the claimer's
      default: {
        const never: never = message
        throw new Error(`Unknown message ${String(never)}`)
      }
    }
  }

  #take(id: number): PendingCall | undefined {
    const call = this.#calls.get(id)
    this.#calls.delete(id)
    return call
  }

  #close(): void {
    this.#isClosed = true
    const error = new LeaseEndedError('The gateway is gone')
    for (const { reject } of this.#calls.values()) reject(error)
    for (const { controller } of this.#leases.values()) controller.abort(error)
    this.#calls.clear()
  }
}

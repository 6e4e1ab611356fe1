import type { Channel } from '../../../server/worker/channel.ts'

/** A line within one process that copies messages as a line between processes does. */
export function linkChannels<A, B>(): { readonly left: Channel<A, B>; readonly right: Channel<B, A>; close(): void } {
  const left = new Set<(message: B) => void>()
  const right = new Set<(message: A) => void>()
  const closers = new Set<() => void>()
  let isClosed = false
  const carry = <M>(message: M, listeners: ReadonlySet<(message: M) => void>) => {
    const copy = structuredClone(message)
    queueMicrotask(() => {
      if (isClosed) return
      for (const listener of listeners) listener(copy)
    })
  }
  const onClose = (listener: () => void) => void closers.add(listener)
  return {
    left: { send: message => carry(message, right), onMessage: listener => void left.add(listener), onClose },
    right: { send: message => carry(message, left), onMessage: listener => void right.add(listener), onClose },
    close: () => {
      isClosed = true
      for (const listener of closers) listener()
    },
  }
}

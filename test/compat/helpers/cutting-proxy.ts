import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A TCP relay in front of a server whose connections can be cut as a failing network would. */
export interface CuttingProxy {
  readonly port: number
  /** Connections accepted since the start. */
  readonly accepted: number
  /** Resets every open connection; new ones are accepted. */
  cut(): void
  stop(): Promise<void>
}

/** Relays a free local port to `target` on the loopback. */
export async function startCuttingProxy(target: number): Promise<CuttingProxy> {
  const open = new Set<Socket>()
  let accepted = 0
  const relay = createServer((near) => {
    accepted += 1
    const far = connect(target, '127.0.0.1')
    for (const [from, to] of [[near, far], [far, near]] as const) {
      open.add(from)
      from.on('error', () => to.destroy())
      from.on('close', () => {
        open.delete(from)
        to.destroy()
      })
      from.pipe(to)
    }
  })
  relay.listen(0, '127.0.0.1')
  await once(relay, 'listening')
  const cut = () => {
    for (const socket of open) socket.resetAndDestroy()
  }
  return {
    port: (relay.address() as AddressInfo).port,
    get accepted() {
      return accepted
    },
    cut,
    async stop() {
      cut()
      relay.close()
      await once(relay, 'close')
    },
  }
}

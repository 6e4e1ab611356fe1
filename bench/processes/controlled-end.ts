import type { ControlReply, ControlRequest } from './controlled-process.ts'

/** The server's end of a ControlledProcess: says where it listens and answers what it is asked. Ends the process when asked to or left alone. */
export function beControlled(port: number): void {
  const tell = (reply: ControlReply) => void process.send?.(reply)
  process.on('message', request => tell(answers[(request as ControlRequest).type]())) // the parent is ours
  // A plain exit lets a profiler write what it has.
  process.once('disconnect', () => process.exit(0))
  process.once('SIGTERM', () => process.exit(0))
  tell({ type: 'listening', port })
}

const answers: Readonly<Record<ControlRequest['type'], () => ControlReply>> = {
  cpu() {
    const { user, system } = process.cpuUsage()
    return { type: 'cpu', ms: (user + system) / 1000 }
  },
  memory() {
    // The second collection frees what finalizers of the first let go.
    globalThis.gc?.()
    globalThis.gc?.()
    const { rss, heapUsed } = process.memoryUsage()
    return { type: 'memory', rssBytes: rss, heapBytes: heapUsed }
  },
}

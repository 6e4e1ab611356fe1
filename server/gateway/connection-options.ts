import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import type { ParseFrameOptions } from '../../protocol/index.ts'
import type { Authenticator } from '../access/principal.ts'
import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { Hub } from '../sessions/hub.ts'
import type { TaskDesk } from '../tasks/task-desk.ts'
import type { ConnectionLimits } from './gateway-options.ts'

/** What a connection is made of. */
export interface ConnectionOptions {
  readonly socket: WebSocket
  /** What the socket lies over. */
  readonly stream: Duplex
  /** Under which its client reaches the server, for image URLs. */
  readonly baseUrl: string
  readonly limits: ConnectionLimits
  /** How frames are read. */
  readonly parsing: ParseFrameOptions
  readonly authenticator: Authenticator
  readonly hub: Hub
  readonly desk: TaskDesk
  readonly clock: Clock
  readonly metrics: Metrics
  readonly log: Log
  /** Called when a key was wrong. */
  readonly onWrongKey: () => void
  /** Called when the client has said who it is. */
  readonly onReady: () => void
  readonly onClosed: () => void
}

/**
 * The life of one socket.
 *
 *     opened → ready → closing → closed
 *        └──────────────┘
 */
export const ConnectionState = {
  /** Nobody has said who they are; only authentication and ping are heard. */
  opened: 'opened',
  /** Authenticated and attached to a session. */
  ready: 'ready',
  /** A last frame may be on its way; nothing is heard any more. */
  closing: 'closing',
  closed: 'closed',
} as const
export type ConnectionState = (typeof ConnectionState)[keyof typeof ConnectionState]

/** Which state may follow which. */
export const nextConnectionStates: Readonly<Record<ConnectionState, readonly ConnectionState[]>> = {
  opened: [ConnectionState.ready, ConnectionState.closing, ConnectionState.closed],
  ready: [ConnectionState.closing, ConnectionState.closed],
  closing: [ConnectionState.closed],
  closed: [],
}

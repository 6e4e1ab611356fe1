import type { ErrorBody } from './error-body.ts'
import type { AuthenticationReply, Pong } from './generated/replies.ts'

const pong: Pong = { taskType: 'ping', pong: true }
const pongFrame = JSON.stringify({ data: [pong] })

/** The answer to a ping; always alone in its frame, for clients drop whatever stands beside it. */
export function encodePong(): string {
  return pongFrame
}

/** The answer to an authentication; always alone in its frame and before every other one. */
export function encodeAuthenticationReply(connectionSessionUUID: string): string {
  const reply: AuthenticationReply = { taskType: 'authentication', connectionSessionUUID }
  return encodeData([reply])
}

/** A success frame or body: `data`, and no error key of any kind. */
export function encodeData(items: readonly object[]): string {
  return JSON.stringify({ data: items })
}

/**
 * An error frame or body. A frame holds one error, for clients take the first of several for all of them.
 * @param options withSingular: repeat the first as `error`, as refused authentications and bodies have it: each
 * spelling is the only one that some client looks at.
 */
export function encodeErrors(errors: readonly [ErrorBody, ...ErrorBody[]], options?: { readonly withSingular?: boolean }): string {
  return JSON.stringify(options?.withSingular ? { errors, error: errors[0] } : { errors })
}

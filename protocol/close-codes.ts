/** Why the server closes a WebSocket. Codes below 4000 are those of RFC 6455. */
export const CloseCode = {
  /** The peer breaks the rules of WebSocket. */
  protocolError: 1002,
  /** The frame is binary; the protocol has text frames only. */
  unsupportedData: 1003,
  /** The text is not UTF-8. */
  invalidPayload: 1007,
  /** Too many fragments. */
  policyViolation: 1008,
  /** The frame is larger than the server accepts. */
  messageTooBig: 1009,
  /** A defect of the server showed on this connection; come back and resume. */
  internalError: 1011,
  /** The server stops or restarts; come back and resume. Never 1000 or 1001, which some clients take for their own. */
  serviceRestart: 1012,
  /** Too many messages that are not valid. */
  badRequests: 4400,
  /** The API key is wrong, of another account, or tasks kept coming without one. */
  unauthorized: 4401,
  /** No message for the idle time. */
  idle: 4406,
  /** No authentication in time. */
  authenticationTimeout: 4408,
  /** Another connection resumed the session. */
  sessionReplaced: 4409,
} as const
export type CloseCode = (typeof CloseCode)[keyof typeof CloseCode]

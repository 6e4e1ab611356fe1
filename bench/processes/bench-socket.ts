import { once } from 'node:events'
import { WebSocket } from 'ws'

/** Accepted by every server that the bench starts; they listen on loopback only. */
export const benchApiKey = 'bench-key-0123456789-abcdefghijklmnop'

/** Opens a WebSocket to a server on this machine. */
export async function openSocket(port: number): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v1`, { perMessageDeflate: false })
  await once(socket, 'open')
  return socket
}

/** Sends one message and resolves with the next one that comes. */
export async function exchange(socket: WebSocket, text: string): Promise<string> {
  const answer = once(socket, 'message')
  socket.send(text)
  return String((await answer)[0])
}

/** Says who one is; throws when the server does not believe it. */
export async function authenticate(socket: WebSocket, apiKey = benchApiKey): Promise<void> {
  const answer = await exchange(socket, JSON.stringify([{ taskType: 'authentication', apiKey }]))
  if (!answer.includes('connectionSessionUUID')) throw new Error(`The authentication was answered with ${answer}`)
}

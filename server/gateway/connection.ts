import type { Duplex } from 'node:stream'
import type { RawData, WebSocket } from 'ws'
import { CloseCode, createError, encodeAuthenticationReply, encodeData, encodeErrors, encodePong, parseFrame } from '../../protocol/index.ts'
import type { AuthenticationRequest, ErrorBody, ParsedElement, TaskOf } from '../../protocol/index.ts'
import type { Authenticator, Principal } from '../access/principal.ts'
import type { Clock } from '../clock.ts'
import type { Metrics } from '../metrics.ts'
import type { Hub } from '../sessions/hub.ts'
import type { SessionSocket } from '../sessions/session-socket.ts'
import type { Session } from '../sessions/session.ts'
import type { TaskDesk } from '../tasks/task-desk.ts'
import { ConnectionState, nextConnectionStates } from './connection-state.ts'
import type { ConnectionLimits } from './gateway-options.ts'
import { refuseRepeats } from '../tasks/refuse-repeats.ts'
import { rateLimited } from '../tasks/task-errors.ts'
import { SocketWriter } from './socket-writer.ts'

/** What a connection is made of. */
export interface ConnectionOptions {
  readonly socket: WebSocket
  /** What the socket lies over. */
  readonly stream: Duplex
  /** Under which its client reaches the server, for image URLs. */
  readonly baseUrl: string
  readonly limits: ConnectionLimits
  readonly strictParameters: boolean
  readonly authenticator: Authenticator
  readonly hub: Hub
  readonly desk: TaskDesk
  readonly clock: Clock
  readonly metrics: Metrics
  /** Called when a key was wrong. */
  readonly onWrongKey: () => void
  /** Called when the client has said who it is. */
  readonly onReady: () => void
  readonly onClosed: () => void
}

/** Frames that make no sense, or tasks before authentication, after which a socket is closed. */
const maxOffences = 5

/** How long the error of a wrong key has to arrive before the close: one in the same tick hangs some clients. */
const closeDelayMs = 250

/**
 * One authenticated socket, or one on its way there: hears frames, answers what can be answered at once, and is the
 * socket that its session writes results to.
 */
export class Connection implements SessionSocket {
  readonly #options: ConnectionOptions
  readonly #writer: SocketWriter
  readonly #openedAt: number
  #state: ConnectionState = ConnectionState.opened
  #principal: Principal | undefined
  #session: Session | undefined
  #offences = 0
  #strangerOffences = 0
  #lastMessageAt: number
  #lastPingAt: number
  #lastHeardAt: number
  #cancelClose: (() => void) | undefined
  /** Polls are answered one after another, so that their pictures are not all in memory at once. */
  #polls: Promise<void> = Promise.resolve()
  /** Uploads under way. */
  #uploads = 0
  /** Aborted when the socket has closed. */
  readonly #gone = new AbortController()

  constructor(options: ConnectionOptions) {
    this.#options = options
    const { socket, stream, clock, limits } = options
    this.#writer = new SocketWriter({ socket, stream, clock, maxBufferedBytes: limits.maxBufferedBytes })
    this.#openedAt = this.#lastMessageAt = this.#lastPingAt = this.#lastHeardAt = clock.now()
    socket.on('message', (data, isBinary) => this.#hear(data, isBinary))
    socket.on('pong', data => this.#pong(data.toString('latin1')))
    socket.on('ping', () => this.#writer.check())
    // ws closes the socket itself with the fitting code; nothing is left to be done here.
    socket.on('error', () => undefined)
    socket.on('close', code => this.#closed(code))
  }

  get isAuthenticated(): boolean {
    return this.#state !== ConnectionState.opened
  }

  /** Looks at the clock: authentication deadline, idle time, a peer that does not read or does not answer. */
  tick(): void {
    const { limits, clock } = this.#options
    const now = clock.now()
    if (this.#state === ConnectionState.opened && now - this.#openedAt >= limits.authenticationMs) {
      return this.close(CloseCode.authenticationTimeout, 'authentication timeout')
    }
    if (this.#state === ConnectionState.closed) return
    const { fullSince } = this.#writer
    if (fullSince !== undefined && now - fullSince >= limits.stallMs) return this.terminate()
    if (this.#state !== ConnectionState.ready) return
    if (now - this.#lastMessageAt >= limits.idleMs && !this.#session?.hasTasks) return this.close(CloseCode.idle, 'idle')
    this.#heartbeat(now)
  }

  /** Starts the closing handshake; nothing is heard or written any more. */
  close(code: number, reason: string): void {
    if (this.#state === ConnectionState.closed) return
    this.#cancelClose?.()
    if (this.#state !== ConnectionState.closing) this.#to(ConnectionState.closing)
    this.#leave()
    this.#options.socket.close(code, reason)
  }

  terminate(): void {
    this.#options.socket.terminate()
  }

  replaced(): void {
    this.#session = undefined
    this.close(CloseCode.sessionReplaced, 'session replaced')
  }

  writable(): Promise<void> {
    return this.#writer.writable()
  }

  write(frame: string): void {
    if (this.#state === ConnectionState.closed) return
    this.#lastMessageAt = this.#options.clock.now()
    this.#options.metrics.framesSent.inc()
    this.#writer.write(frame)
  }

  ping(payload: string): void {
    this.#lastPingAt = this.#options.clock.now()
    this.#writer.ping(payload)
  }

  #hear(data: RawData, isBinary: boolean): void {
    if (this.#state !== ConnectionState.opened && this.#state !== ConnectionState.ready) return
    const { metrics, clock, limits, strictParameters } = this.#options
    metrics.framesReceived.inc()
    this.#lastMessageAt = this.#lastHeardAt = clock.now()
    if (isBinary) return this.close(CloseCode.unsupportedData, 'text frames only')
    const elements = parseFrame(toText(data), { maxTasksPerFrame: limits.maxTasksPerFrame, strictParameters })
    if (elements.every(isNothing)) this.#offend()
    for (const element of refuseRepeats(elements)) this.#take(element)
  }

  #take(element: ParsedElement): void {
    if (this.#state !== ConnectionState.opened && this.#state !== ConnectionState.ready) return
    if (element.type === 'error') return this.#refuseElement(element.error)
    const { task } = element
    switch (task.type) {
      case 'authentication':
        return this.#authenticate(task.request)
      case 'ping':
        return this.write(encodePong())
      case 'imageInference':
        return this.#session ? void this.#submit(task, this.#session) : this.#refuseStranger(task.taskType, task.request.taskUUID)
      case 'imageUpload':
        return this.#session ? void this.#upload(task, this.#session) : this.#refuseStranger(task.taskType, task.request.taskUUID)
      case 'getResponse':
        if (!this.#session) return this.#refuseStranger(task.taskType, task.request.taskUUID)
        this.#polls = this.#polls.then(() => this.#poll(task))
        return
      default: {
        const never: never = task
        throw new Error(`Unknown task ${JSON.stringify(never)}`)
      }
    }
  }

  /** The reply is written before the session gets the socket, so nothing overtakes it. */
  #authenticate({ apiKey, connectionSessionUUID }: AuthenticationRequest): void {
    const { authenticator, hub, metrics, onReady } = this.#options
    const principal = authenticator.authenticate(apiKey)
    if (!principal) {
      metrics.authentications.inc({ outcome: 'refused' })
      return this.#refuseKey(createError('invalidApiKey', { parameter: 'apiKey', type: 'string' }))
    }
    if (this.#principal && this.#principal.account !== principal.account) {
      return this.#refuseKey(createError('invalidAuthentication', { parameter: 'apiKey', type: 'string' }))
    }
    const session = hub.open(principal.account, connectionSessionUUID ?? this.#session?.uuid)
    const isResumed = session.uuid === connectionSessionUUID?.toLowerCase()
    metrics.authentications.inc({ outcome: isResumed ? 'resumed' : 'accepted' })
    if (this.#session && this.#session !== session) this.#leave()
    this.write(encodeAuthenticationReply(session.uuid))
    this.#principal = principal
    if (this.#state === ConnectionState.opened) {
      this.#to(ConnectionState.ready)
      onReady()
    }
    if (this.#session === session) return
    this.#session = session
    session.attach(this)
  }

  async #submit(task: TaskOf<'imageInference'>, session: Session): Promise<void> {
    const error = await this.#options.desk.submit(task, session, this.#options.baseUrl)
    if (error) this.#refuse(error, session)
  }

  /** The answer goes to this connection alone: a client that lost it uploads again. */
  async #upload(task: TaskOf<'imageUpload'>, session: Session): Promise<void> {
    const { desk, baseUrl, limits } = this.#options
    const { taskType, request: { taskUUID } } = task
    if (this.#uploads >= limits.maxTasksPerFrame) return this.#refuse(rateLimited({ taskType, taskUUID }, 'too many uploads are under way'), session)
    this.#uploads++
    const answer = await desk.upload(task, { account: session.account, baseUrl }, this.#gone.signal).finally(() => { this.#uploads-- })
    if (this.#state !== ConnectionState.ready) return
    if (answer.type === 'error') this.#refuse(answer.error, session)
    else this.write(encodeData(answer.items))
  }

  async #poll(task: TaskOf<'getResponse'>): Promise<void> {
    await this.#writer.writable()
    if (!this.#principal || this.#state !== ConnectionState.ready) return
    const answer = await this.#options.desk.poll(task, this.#principal.account)
    if (this.#state !== ConnectionState.ready) return
    this.write(answer.type === 'data' ? encodeData(answer.items) : encodeErrors([answer.error]))
  }

  /** An error that a task waits for. The session owes it like a result, so that it survives a lost connection. */
  #refuse(error: ErrorBody, session: Session): void {
    this.#options.metrics.taskErrors.inc({ code: error.code })
    if (session.reject(error)) return
    if (this.#state === ConnectionState.ready && this.#session === session) this.write(encodeErrors([error]))
  }

  /** An element that is no task. Without a taskUUID its error would fail every call of some clients, so it is sent only while none waits. */
  #refuseElement(error: ErrorBody): void {
    if (error.taskType === 'authentication') return this.#refuseKey(error)
    if (error.taskUUID !== undefined && this.#session) return this.#refuse(error, this.#session)
    this.#options.metrics.taskErrors.inc({ code: error.code })
    if (!this.#session && error.taskType !== undefined) this.#refuseStranger(error.taskType, error.taskUUID)
    else if (!this.#session?.isOwing) this.write(encodeErrors([error]))
  }

  /** Counts a message that holds no task at all. */
  #offend(): void {
    if (++this.#offences >= maxOffences) this.close(CloseCode.badRequests, 'too many messages that are no tasks')
  }

  /** Somebody who has not said who it is sends something else than an authentication. */
  #refuseStranger(taskType: string, taskUUID: string | undefined): void {
    this.write(encodeErrors([createError('missingApiKey', { parameter: 'apiKey', type: 'string', taskType, ...(taskUUID && { taskUUID }) })]))
    if (++this.#strangerOffences >= maxOffences) this.close(CloseCode.unauthorized, 'authenticate first')
  }

  /** The error has to arrive before the close; some clients look at the one spelling of it and some at the other. */
  #refuseKey(error: ErrorBody): void {
    this.#options.onWrongKey()
    this.write(encodeErrors([{ ...error, taskType: 'authentication' }], { withSingular: true }))
    this.#to(ConnectionState.closing)
    this.#leave()
    this.#cancelClose = this.#options.clock.after(closeDelayMs, () => this.close(CloseCode.unauthorized, 'unauthorized'))
  }

  #heartbeat(now: number): void {
    const { pingIntervalMs, stallMs } = this.#options.limits
    const isAnswered = this.#lastHeardAt >= this.#lastPingAt
    if (!isAnswered && now - this.#lastPingAt >= stallMs) return this.terminate()
    if (isAnswered && now - this.#lastPingAt >= pingIntervalMs) this.ping('alive')
  }

  #pong(payload: string): void {
    this.#lastHeardAt = this.#options.clock.now()
    this.#session?.pong(this, payload)
  }

  #leave(options?: { readonly refusedSize: boolean }): void {
    const session = this.#session
    this.#session = undefined
    if (!session) return
    session.detach(this, options)
    this.#options.hub.trim(session.account)
  }

  #closed(code: number): void {
    if (this.#state === ConnectionState.closed) return
    this.#cancelClose?.()
    this.#to(ConnectionState.closed)
    this.#writer.close()
    this.#gone.abort(new Error('The client hung up'))
    this.#leave({ refusedSize: code === CloseCode.messageTooBig })
    this.#options.metrics.closes.inc({ code: String(code) })
    this.#options.onClosed()
  }

  #to(next: ConnectionState): void {
    if (!nextConnectionStates[this.#state].includes(next)) throw new Error(`A connection that is ${this.#state} cannot become ${next}`)
    this.#state = next
  }
}

/** An error that names neither task nor type: the text was no array of tasks. */
function isNothing(element: ParsedElement): boolean {
  return element.type === 'error' && element.error.taskType === undefined && element.error.taskUUID === undefined
}

/** ws gives a text frame as one buffer, whose UTF-8 it has checked. */
function toText(data: RawData): string {
  return Array.isArray(data) ? Buffer.concat(data).toString() : data.toString()
}

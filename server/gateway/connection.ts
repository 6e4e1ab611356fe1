import type { RawData } from 'ws'
import { CloseCode, createError, encodeAuthenticationReply, encodeErrors, encodePong, parseFrame } from '../../protocol/index.ts'
import type { AuthenticationRequest, ErrorBody, ParsedElement } from '../../protocol/index.ts'
import type { Principal } from '../access/principal.ts'
import type { SessionSocket } from '../sessions/session-socket.ts'
import type { Session } from '../sessions/session.ts'
import { refuseRepeats } from '../tasks/refuse-repeats.ts'
import { closeLabelOf } from './close-label.ts'
import type { ConnectionOptions } from './connection-options.ts'
import { ConnectionState, nextConnectionStates } from './connection-state.ts'
import { ConnectionTasks } from './connection-tasks.ts'
import type { TaskClient } from './connection-tasks.ts'
import { Liveness } from './liveness.ts'
import { textOf } from './message-text.ts'
import { SocketWriter } from './socket-writer.ts'

/** Frames that make no sense, or tasks before authentication, after which a socket is closed. */
const maxOffences = 5

/** How long the error of a wrong key has to arrive before the close: one in the same tick hangs some clients. */
const closeDelayMs = 250

/**
 * One authenticated socket, or one on its way there: hears frames, answers what can be answered at once, and is the
 * socket that its session writes results to.
 *
 * Nothing that goes wrong on it is thrown: a defect ends this connection, and the others go on.
 */
export class Connection implements SessionSocket, TaskClient {
  readonly #options: ConnectionOptions
  readonly #writer: SocketWriter
  readonly #liveness: Liveness
  #state: ConnectionState = ConnectionState.opened
  #principal: Principal | undefined
  #session: Session | undefined
  #offences = 0
  #strangerOffences = 0
  #cancelClose: (() => void) | undefined
  readonly #tasks: ConnectionTasks

  constructor(options: ConnectionOptions) {
    this.#options = options
    const { socket, stream, clock, limits, desk, baseUrl, metrics } = options
    this.#writer = new SocketWriter({ socket, stream, clock, maxBufferedBytes: limits.maxBufferedBytes })
    this.#tasks = new ConnectionTasks({ client: this, desk, baseUrl, metrics, maxUnderWay: limits.maxUnderWay })
    this.#liveness = new Liveness(limits, () => clock.now())
    socket.on('message', (data, isBinary) => this.#guard(() => this.#hear(data, isBinary)))
    socket.on('pong', data => this.#guard(() => this.#pong(data.toString('latin1'))))
    socket.on('ping', () => this.#writer.check())
    // ws closes the socket itself with the fitting code; nothing is left to be done here.
    socket.on('error', () => undefined)
    socket.on('close', code => this.#guard(() => this.#closed(code)))
  }

  get session(): Session | undefined {
    return this.#session
  }

  /** Looks at the clock: authentication deadline, idle time, a peer that does not read or does not answer. */
  tick(): void {
    this.#guard(() => this.#look())
  }

  /** Starts the closing handshake; nothing is heard or written any more. */
  close(code: number, reason: string): void {
    if (this.#state === ConnectionState.closed) return
    this.#cancelClose?.()
    if (this.#state !== ConnectionState.closing) this.#to(ConnectionState.closing)
    this.#leave()
    this.#writer.flush()
    this.#options.socket.close(code, reason)
  }

  terminate(): void {
    this.#options.socket.terminate()
  }

  failed(error: unknown): void {
    this.#options.log.error('connectionDefect', { account: this.#session?.account, error })
    this.close(CloseCode.internalError, 'internal error')
  }

  replaced(): void {
    this.#session = undefined
    this.close(CloseCode.sessionReplaced, 'session replaced')
  }

  get hasRoom(): boolean {
    return this.#writer.hasRoom
  }

  writable(): Promise<void> {
    return this.#writer.writable()
  }

  write(frame: string): void {
    if (this.#state === ConnectionState.closed) return
    this.#liveness.message({ isPeers: false })
    this.#options.metrics.framesSent.inc()
    this.#writer.write(frame)
  }

  ping(payload: string): void {
    this.#liveness.ping()
    this.#writer.ping(payload)
  }

  /** Runs what an event or the clock asks for; thrown to those it would end the process. */
  #guard(run: () => void): void {
    try {
      run()
    } catch (error) {
      this.failed(error)
    }
  }

  #look(): void {
    const { limits, clock } = this.#options
    if (this.#state === ConnectionState.opened && this.#liveness.isLate) return this.close(CloseCode.authenticationTimeout, 'authentication timeout')
    if (this.#state === ConnectionState.closed) return
    const { fullSince } = this.#writer
    if (fullSince !== undefined && clock.now() - fullSince >= limits.stallMs) return this.terminate()
    if (this.#state !== ConnectionState.ready) return
    if (this.#liveness.isIdle && !this.#session?.hasTasks) return this.close(CloseCode.idle, 'idle')
    if (this.#liveness.isSilent) return this.terminate()
    if (this.#liveness.isPingDue) this.ping('alive')
  }

  #hear(data: RawData, isBinary: boolean): void {
    if (this.#state !== ConnectionState.opened && this.#state !== ConnectionState.ready) return
    const { metrics, parsing } = this.#options
    metrics.framesReceived.inc()
    this.#liveness.message({ isPeers: true })
    if (isBinary) return this.close(CloseCode.unsupportedData, 'text frames only')
    const elements = parseFrame(textOf(data), parsing)
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
        return this.#session ? this.#tasks.submit(task, this.#session) : this.#refuseStranger(task.taskType, task.request.taskUUID)
      case 'imageUpload':
        return this.#session ? this.#tasks.upload(task, this.#session) : this.#refuseStranger(task.taskType, task.request.taskUUID)
      case 'getResponse':
        return this.#session ? this.#tasks.poll(task, this.#session) : this.#refuseStranger(task.taskType, task.request.taskUUID)
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
    hub.attach(session, this)
  }

  /** An element that is no task. Without a taskUUID its error would fail every call of some clients, so it is sent only while none waits. */
  #refuseElement(error: ErrorBody): void {
    if (error.taskType === 'authentication') return this.#refuseKey(error)
    if (error.taskUUID !== undefined && this.#session) return this.#tasks.refuse(error, this.#session)
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

  #pong(payload: string): void {
    this.#liveness.pong()
    this.#session?.pong(this, payload)
  }

  #leave(options?: { readonly refusedSize: boolean }): void {
    const session = this.#session
    this.#session = undefined
    if (session) this.#options.hub.detach(session, this, options)
  }

  #closed(code: number): void {
    if (this.#state === ConnectionState.closed) return
    this.#cancelClose?.()
    this.#to(ConnectionState.closed)
    this.#writer.close()
    this.#tasks.stop()
    this.#leave({ refusedSize: code === CloseCode.messageTooBig })
    this.#options.metrics.closes.inc({ code: closeLabelOf(code) })
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

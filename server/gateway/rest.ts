import type { IncomingMessage, ServerResponse } from 'node:http'
import { createError, encodeData, encodeErrors, findApiKey, httpStatusOf, parseFrame } from '../../protocol/index.ts'
import type { ErrorBody, ParsedElement } from '../../protocol/index.ts'
import type { Authenticator, Principal } from '../access/principal.ts'
import type { PollAnswer } from '../tasks/get-response.ts'
import type { UploadAnswer } from '../tasks/image-upload.ts'
import { refuseRepeats } from '../tasks/refuse-repeats.ts'
import { readyAnswer } from '../tasks/pending-answer.ts'
import type { PendingAnswer } from '../tasks/pending-answer.ts'
import type { TaskDesk } from '../tasks/task-desk.ts'
import type { AnswerRoom } from './answer-room.ts'
import { clientAddressOf } from './client-address.ts'
import type { FailureLimiter } from './failure-limiter.ts'
import { finishResponse } from './finish-response.ts'
import { BodyEncodingError, BodyTooLargeError, readBody, StrangersBodyError } from './read-body.ts'

/** What REST needs. */
export interface RestOptions {
  readonly authenticator: Authenticator
  readonly desk: TaskDesk
  readonly wrongKeys: FailureLimiter
  readonly maxBodyBytes: number
  /** Of a body whose sender is not known by the header; more is read when a good key stands in front of it. */
  readonly maxStrangersBytes: number
  readonly maxTasksPerFrame: number
  /** Most bytes of pictures inside one answer of more than one task. */
  readonly maxInlineBytes: number
  /** A client that takes nothing of its answer for this long is given up. */
  readonly stallMs: number
  /** Where answers with pictures inside wait for each other. */
  readonly room: AnswerRoom
  readonly strictParameters: boolean
  readonly makeUuid: () => string
}

/** What one element of the body leads to. */
interface Answer {
  readonly items: readonly object[]
  readonly error?: ErrorBody
}

/**
 * Answers a posted array of tasks with one body, when all of them have ended. A client that hangs up cancels them.
 * With any error the answer is the errors alone, under the status of the first: clients take a body with both for either;
 * what the other tasks gave is read with getResponse.
 */
export async function serveTasks(request: IncomingMessage, response: ServerResponse, baseUrl: string, options: RestOptions): Promise<void> {
  const elements = await readElements(request, options)
  const { principal, error, hasAuthentication } = identify(request, elements, options)
  if (!principal) return send(response, [{ items: [], error }], options)
  const work = elements.filter(element => !isAuthentication(element))
  if (hasAuthentication && work.length === 0) {
    return send(response, [{ items: [{ taskType: 'authentication', connectionSessionUUID: options.makeUuid() }] }], options)
  }
  const hungUp = new AbortController()
  response.on('close', () => hungUp.abort(new Error('The client hung up')))
  const ended = await Promise.all(work.map(element => answer(element, principal, baseUrl, options.desk, hungUp.signal)))
  const answers = refuseExcess(work, ended, options.maxInlineBytes)
  const leave = await options.room.enter(principal.account, answers.reduce((sum, { inlineBytes }) => sum + inlineBytes, 0), hungUp.signal).catch(() => undefined)
  if (!leave) return // the client hung up while it waited
  // The answer is in memory until the client has taken it.
  if (response.closed) leave()
  else response.once('close', leave)
  send(response, await Promise.all(answers.map(({ build }) => build())), options)
}

/** The tasks whose pictures are too large together with those before them get an error; one alone may have pictures of any size. */
function refuseExcess(work: readonly ParsedElement[], answers: readonly PendingAnswer<Answer>[], maxBytes: number): readonly PendingAnswer<Answer>[] {
  let used = 0
  return answers.map((answer, index) => {
    if (used > 0 && used + answer.inlineBytes > maxBytes) {
      const expected = `at most ${maxBytes} bytes`
      return readyAnswer({ items: [], error: createError('maxResponseSizeExceeded', { ...nameOf(work[index]), expected, max: maxBytes }) })
    }
    used += answer.inlineBytes
    return answer
  })
}

async function readElements(request: IncomingMessage, options: RestOptions): Promise<readonly ParsedElement[]> {
  const { authenticator, maxBodyBytes, maxStrangersBytes, maxTasksPerFrame, strictParameters } = options
  const isGood = (key: string | undefined) => key !== undefined && authenticator.authenticate(key) !== undefined
  const limits = {
    maxBytes: maxBodyBytes,
    maxStrangersBytes: isGood(bearerOf(request)) ? maxBodyBytes : maxStrangersBytes,
    isKnownBy: (start: Buffer) => isGood(findApiKey(start.toString())),
  }
  try {
    return refuseRepeats(parseFrame(await readBody(request, limits), { maxTasksPerFrame, strictParameters }))
  } catch (error) {
    if (error instanceof BodyTooLargeError) return [{ type: 'error', error: createError('maxRequestSizeExceeded', { expected: `at most ${maxBodyBytes} bytes`, max: maxBodyBytes }) }]
    if (error instanceof StrangersBodyError) return [{ type: 'error', error: refuseStranger(request, options) }]
    if (error instanceof BodyEncodingError) return [{ type: 'error', error: createError('invalidJSON', { reason: 'it is not UTF-8' }) }]
    throw error
  }
}

/** The rest of the body is not read, so which task waits for a key is not known. */
function refuseStranger(request: IncomingMessage, { wrongKeys }: RestOptions): ErrorBody {
  const about = { parameter: 'apiKey', type: 'string' }
  if (bearerOf(request) === undefined) return createError('missingApiKey', about)
  wrongKeys.fail(clientAddressOf(request.socket))
  return createError('invalidApiKey', about)
}

/** The header's key. */
function bearerOf({ headers }: IncomingMessage): string | undefined {
  return /^Bearer +(\S.*)$/i.exec(headers.authorization ?? '')?.[1]?.trim()
}

function isAuthentication(element: ParsedElement): boolean {
  return element.type === 'task' ? element.task.type === 'authentication' : element.error.taskType === 'authentication'
}

interface Identity {
  readonly principal?: Principal
  /** What to answer where there is no principal. */
  readonly error: ErrorBody
  /** True when the body holds an authentication element. */
  readonly hasAuthentication: boolean
}

/** The key is that of an authentication element in front, or the header's. A body that cannot be read says so before it asks for a key. */
function identify(request: IncomingMessage, elements: readonly ParsedElement[], { authenticator, wrongKeys }: RestOptions): Identity {
  const [first] = elements
  const hasAuthentication = first !== undefined && isAuthentication(first)
  if (first?.type === 'error' && (hasAuthentication || first.error.taskType === undefined)) return { error: first.error, hasAuthentication }
  const about = { parameter: 'apiKey', type: 'string', taskType: 'authentication' }
  const key = first?.type === 'task' && first.task.type === 'authentication' ? first.task.request.apiKey : bearerOf(request)
  if (key === undefined) return { error: createError('missingApiKey', { ...about, ...nameOf(first) }), hasAuthentication }
  const principal = authenticator.authenticate(key)
  if (principal) return { principal, error: createError('invalidApiKey'), hasAuthentication }
  wrongKeys.fail(clientAddressOf(request.socket))
  return { error: createError('invalidApiKey', about), hasAuthentication }
}

/** The error of a missing key carries the name of the first task. */
function nameOf(element: ParsedElement | undefined): { readonly taskType?: string; readonly taskUUID?: string } {
  if (element?.type !== 'task' || !('taskUUID' in element.task.request)) return {}
  return { taskType: element.task.taskType, taskUUID: element.task.request.taskUUID }
}

async function answer(element: ParsedElement, { account }: Principal, baseUrl: string, desk: TaskDesk, hungUp: AbortSignal): Promise<PendingAnswer<Answer>> {
  if (element.type === 'error') return readyAnswer({ items: [], error: element.error })
  const { task } = element
  switch (task.type) {
    case 'authentication':
      return readyAnswer({ items: [] })
    case 'ping':
      return readyAnswer({ items: [{ taskType: 'ping', pong: true }] })
    case 'imageInference':
      return desk.collect(task, account, baseUrl, hungUp)
    case 'imageUpload':
      return readyAnswer(answerOf(await desk.upload(task, { account, baseUrl }, hungUp)))
    case 'getResponse': {
      const { inlineBytes, build } = await desk.poll(task, account)
      return { inlineBytes, build: async () => answerOf(await build()) }
    }
    default: {
      const never: never = task
      throw new Error(`Unknown task ${JSON.stringify(never)}`)
    }
  }
}

function answerOf(answer: PollAnswer | UploadAnswer): Answer {
  return answer.type === 'data' ? { items: answer.items } : { items: [], error: answer.error }
}

function send(response: ServerResponse, answers: readonly Answer[], { stallMs }: RestOptions): void {
  if (response.destroyed) return
  const items = answers.flatMap(answer => answer.items)
  const [first, ...more] = answers.flatMap(({ error }) => error ? [error] : [])
  response.setHeader('Content-Type', 'application/json; charset=utf-8')
  if (!first) {
    finishResponse(response.writeHead(200), encodeData(items), stallMs)
    return
  }
  const status = httpStatusOf(first.code)
  if (status === 429 || status === 503) response.setHeader('Retry-After', '1')
  if (status === 401) response.setHeader('WWW-Authenticate', 'Bearer')
  // A body that was not read to its end cannot be followed by another request.
  if (!response.req.complete) response.setHeader('Connection', 'close')
  finishResponse(response.writeHead(status), encodeErrors([first, ...more], { withSingular: true }), stallMs)
}

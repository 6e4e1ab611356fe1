import type { WebSocket } from 'ws'

const taskTail = '","model":"bench:instant@1","positivePrompt":"a red cup on a wooden table, morning light","width":512,"height":512,"steps":20,"CFGScale":7,'
  + '"scheduler":"Euler a","numberResults":1,"outputType":["URL"],"outputFormat":"JPG"}]'
const uuidMark = '"taskUUID":"'
/** `ssssssss-0000-4000-8000-cccccccccccc`: the place in which the task was sent, and a number that is never used again. */
const middle = '-0000-4000-8000-'

/** What a load did in a while. */
export interface LoadFigures {
  readonly perSecond: number
  readonly ms: readonly number[]
}

/**
 * Keeps a number of tasks under way over some sockets: as one is answered the next is sent.
 * It does as little for a message as it can, because it shares the machine with what it measures.
 */
export class MessageLoad {
  readonly #sockets: readonly WebSocket[]
  readonly #sentAt: Float64Array
  #counter = 0
  #isSending = false
  #underWay = 0
  #answered = 0
  #ms: number[] = []
  #onDone: (() => void) | undefined
  #failure: Error | undefined

  constructor(sockets: readonly WebSocket[], inFlight: number) {
    this.#sockets = sockets
    this.#sentAt = new Float64Array(inFlight)
    for (const socket of sockets) {
      socket.on('message', data => this.#hear(socket, String(data)))
      socket.on('close', code => this.#fail(`A socket was closed with ${code}`))
    }
  }

  /** Runs for a while and waits for what is then under way. */
  async run(durationMs: number): Promise<LoadFigures> {
    this.#throwFailure()
    this.#ms = []
    this.#answered = 0
    this.#isSending = true
    const startedAt = performance.now()
    const done = new Promise<void>(resolve => { this.#onDone = resolve })
    this.#sentAt.forEach((_, place) => this.#send(this.#sockets[place % this.#sockets.length] as WebSocket, place))
    const timer = setTimeout(() => { this.#isSending = false }, durationMs)
    await done
    clearTimeout(timer)
    this.#throwFailure()
    return { perSecond: this.#answered / (performance.now() - startedAt) * 1000, ms: this.#ms }
  }

  #send(socket: WebSocket, place: number): void {
    const uuid = place.toString(16).padStart(8, '0') + middle + (++this.#counter).toString(16).padStart(12, '0')
    this.#underWay++
    this.#sentAt[place] = performance.now()
    socket.send(`[{"taskType":"imageInference","taskUUID":"${uuid}${taskTail}`)
  }

  #hear(socket: WebSocket, text: string): void {
    const start = text.indexOf(uuidMark) + uuidMark.length
    const place = Number.parseInt(text.slice(start, start + 8), 16)
    if (text.includes('"errors"') || !(place < this.#sentAt.length)) return this.#fail(`An answer was not expected: ${text.slice(0, 500)}`)
    this.#ms.push(performance.now() - (this.#sentAt[place] as number))
    this.#answered++
    this.#underWay--
    if (this.#isSending) this.#send(socket, place)
    else if (this.#underWay === 0) this.#onDone?.()
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure
  }

  #fail(message: string): void {
    this.#failure ??= new Error(message)
    this.#isSending = false
    this.#onDone?.()
  }
}

import type { ScenarioReport } from './report.ts'

/** Where progress is shown. */
export interface ProgressStream {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

const barWidth = 24

/** A bar on a terminal; elsewhere a line for each scenario that has ended. */
export class Progress {
  readonly #stream: ProgressStream
  readonly #scenarios: number
  #name = ''
  #number = 0

  constructor(stream: ProgressStream, scenarios: number) {
    this.#stream = stream
    this.#scenarios = scenarios
  }

  start(name: string): void {
    this.#name = name
    this.#number++
    this.show(0, 1, '')
  }

  show(done: number, total: number, what: string): void {
    if (!this.#stream.isTTY) return
    const filled = Math.max(0, Math.min(barWidth, Math.round(done / total * barWidth)))
    const bar = '█'.repeat(filled) + '░'.repeat(barWidth - filled)
    const line = `${this.#number}/${this.#scenarios} ${bar} ${this.#name}${what ? `: ${what}` : ''}`
    this.#stream.write(`\r\u001b[K${line.slice(0, (this.#stream.columns ?? 80) - 1)}`)
  }

  end({ name, outcome, reason, seconds }: ScenarioReport): void {
    if (this.#stream.isTTY) this.#stream.write('\r\u001b[K')
    this.#stream.write(`${this.#number}/${this.#scenarios} ${name}: ${outcome}${reason ? ` (${reason})` : ''}, ${seconds} s\n`)
  }
}

import { fork } from 'node:child_process'
import { availableParallelism, cpus } from 'node:os'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { interpretFindings } from './cuda-findings.ts'
import type { CudaFindings } from './cuda-findings.ts'
import type { CudaReport, DeviceReport } from './device-report.ts'

export interface ProbeOptions {
  /** After this time the probing process is ended and CUDA counts as unusable. @default 120000 */
  readonly timeoutMs?: number
  /** Entry of the probing process, for tests. */
  readonly entry?: URL
}

const DEFAULT_TIMEOUT_MS = 120_000
const STDERR_LINES = 3

/** Finds out what this machine can compute on, CUDA in a process of its own. Never throws: what failed is in the report. */
export async function probeDevices({ timeoutMs = DEFAULT_TIMEOUT_MS, entry = probeEntry() }: ProbeOptions = {}): Promise<DeviceReport> {
  const cpu = { model: cpus()[0]?.model.trim() ?? 'unknown', cores: availableParallelism() }
  return { cpu, cuda: await probeCuda(entry, timeoutMs) }
}

function probeEntry(): URL {
  // The same file with the extension of this one: both run from the sources and as built.
  return new URL(`./cuda-probe-main${extname(import.meta.url)}`, import.meta.url)
}

function probeCuda(entry: URL, timeoutMs: number): Promise<CudaReport> {
  return new Promise(resolve => {
    let findings: CudaFindings | undefined
    let complaints = ''
    const child = fork(fileURLToPath(entry), {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'], timeout: timeoutMs, killSignal: 'SIGKILL', execArgv: [],
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => { complaints += text })
    child.on('message', message => { findings = message as CudaFindings })
    child.on('error', error => resolve(unusable(`the probing process could not be started: ${error.message}`)))
    child.on('close', (code, signal) => {
      if (findings) return resolve(interpretFindings(findings))
      const how = signal === 'SIGKILL' ? `gave no answer in ${timeoutMs} ms` : signal ? `was ended by ${signal}` : `ended with code ${code}`
      const said = complaints.trim().split('\n').slice(-STDERR_LINES).join(' ')
      resolve(unusable(`the probing process ${how}${said && `: ${said}`}`))
    })
  })
}

function unusable(problem: string): CudaReport {
  const nothing = { provider: { folder: '', files: [] }, libraries: [], driver: { name: '', isFound: false }, devices: [], advice: [] }
  return { usable: [], problem, ...nothing }
}

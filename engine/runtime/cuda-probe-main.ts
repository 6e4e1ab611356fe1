// Entry of the throw-away process that looks for CUDA: loading broken libraries may end a process, so it is never the
// caller's. Sends one CudaFindings message to its parent and exits.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { GraphBuilder } from '../graph/graph-builder.ts'
import { CUDA_DRIVER, CUDA_LIBRARIES, PROVIDER_FILES } from './cuda-findings.ts'
import type { CudaFindings } from './cuda-findings.ts'
import type { CudaDevice, LibraryFinding } from './device-report.ts'
import { openRuntime } from './open-runtime.ts'

const MAX_DEVICES = 64

process.send?.(await findCuda(), () => process.exit(0))

async function findCuda(): Promise<CudaFindings> {
  const folder = runtimeFolder()
  const driver = { ...tryLoad(CUDA_DRIVER), ...driverVersion() }
  const libraries = Object.keys(CUDA_LIBRARIES).map(tryLoad)
  const provider = { folder, files: PROVIDER_FILES.map(name => findFile(folder, name)) }
  const isWorthTrying = driver.isFound && provider.files.every(file => file.isFound)
  return { driver, libraries, provider, ...(isWorthTrying ? await tryDevices() : { devices: listDevices() }) }
}

/** The folder of the runtime's own library, the only one where it looks for its providers. */
function runtimeFolder(): string {
  const packageFolder = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'))
  const bin = join(packageFolder, 'bin')
  const api = readdirSync(bin).find(name => name.startsWith('napi-')) ?? ''
  return join(bin, api, process.platform, process.arch)
}

function findFile(folder: string, name: string): LibraryFinding {
  return existsSync(join(folder, name)) ? { name, isFound: true } : { name, isFound: false, problem: `not found in ${folder}` }
}

/** Asks the system's loader for a library. Node loads it before it finds that it is no addon of its own, which is the answer hoped for. */
function tryLoad(name: string): LibraryFinding {
  try {
    process.dlopen({ exports: {} }, name)
  } catch (error) {
    const { message } = error as Error
    // The loader's sentence begins with the library's name, which the finding has already.
    if (!message.includes('did not self-register')) return { name, isFound: false, problem: message.split('\n')[0].replace(`${name}: `, '') }
  }
  return { name, isFound: true }
}

function driverVersion(): { version?: string } {
  const file = '/proc/driver/nvidia/version'
  if (!existsSync(file)) return {}
  const version = /Module\s.*?(\d+\.\d+(?:\.\d+)?)/.exec(readFileSync(file, 'utf8'))?.[1]
  return version ? { version } : {}
}

/** Devices as the driver's own tool lists them; none where the tool is not installed. */
function listDevices(): CudaDevice[] {
  try {
    const fields = ['--query-gpu=index,name,memory.total', '--format=csv,noheader,nounits']
    const printed = execFileSync('nvidia-smi', fields, { encoding: 'utf8', timeout: 10_000, stdio: ['ignore', 'pipe', 'ignore'] })
    const lines = printed.trim().split('\n')
    return lines.filter(Boolean).map(line => {
      const [index, name = '', memory] = line.split(',').map(field => field.trim())
      return { index: Number(index), name, memoryMiB: Number(memory), isUsable: false }
    })
  } catch {
    // No tool, no names: whether a device can be used is found by using it.
    return []
  }
}

/** Computes 1 + 1 on each device the driver's tool lists; without the tool, on one after the other until one does not exist. */
async function tryDevices(): Promise<Pick<CudaFindings, 'devices' | 'sessionProblem'>> {
  const listed = listDevices()
  const devices: CudaDevice[] = []
  const candidates = listed.length > 0 ? listed : Array.from({ length: MAX_DEVICES }, (_, index) => ({ index }))
  for (const candidate of candidates) {
    const problem = await tryDevice(candidate.index)
    if (problem !== undefined && listed.length === 0) return { devices, sessionProblem: problem }
    devices.push(problem === undefined ? { ...candidate, isUsable: true } : { ...candidate, isUsable: false, problem })
  }
  return { devices }
}

async function tryDevice(index: number): Promise<string | undefined> {
  const graph = new GraphBuilder('probe')
  const one = graph.input('one', 'float32', [1])
  graph.output('two', 'float32', [1], graph.node('Add', [one, one]))
  try {
    const runtime = await openRuntime({ type: 'cuda', index }, { threads: 1 })
    const session = await runtime.open(graph.build())
    const { two } = await session.run({ one: { dtype: 'float32', dims: [1], data: Float32Array.of(1) } })
    await session.release()
    return two?.data[0] === 2 ? undefined : `cuda:${index} computed 1 + 1 = ${two?.data[0]}`
  } catch (error) {
    return (error as Error).message.split('\n')[0]
  }
}

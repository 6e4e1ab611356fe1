import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { CUDA_LIBRARIES, interpretFindings } from '../../../engine/runtime/cuda-findings.ts'
import type { CudaFindings } from '../../../engine/runtime/cuda-findings.ts'
import type { DeviceReport } from '../../../engine/runtime/device-report.ts'
import { formatDevice, parseDeviceSpec } from '../../../engine/runtime/device-spec.ts'
import { probeDevices } from '../../../engine/runtime/probe-devices.ts'
import { resolveDevices } from '../../../engine/runtime/resolve-devices.ts'

const FINE: CudaFindings = {
  driver: { name: 'libcuda.so.1', isFound: true, version: '580.65' },
  provider: { folder: '/runtime', files: [{ name: 'libonnxruntime_providers_cuda.so', isFound: true }] },
  libraries: Object.keys(CUDA_LIBRARIES).map(name => ({ name, isFound: true })),
  devices: [{ index: 0, name: 'H200', isUsable: true }, { index: 1, name: 'H200', isUsable: true }],
}
const CPU = { model: 'a processor', cores: 4 }
const reporting = (findings: CudaFindings) => async (): Promise<DeviceReport> => ({ cpu: CPU, cuda: interpretFindings(findings) })

t.test('device settings are read in all their spellings', async t => {
  t.same(parseDeviceSpec('auto'), { type: 'auto' })
  t.same(parseDeviceSpec(' CPU '), { type: 'devices', devices: [{ type: 'cpu' }] })
  t.same(parseDeviceSpec('cuda'), { type: 'devices', devices: [{ type: 'cuda', index: 0 }] })
  t.same(parseDeviceSpec('cuda:1,cuda:3'), { type: 'devices', devices: [{ type: 'cuda', index: 1 }, { type: 'cuda', index: 3 }] })
  t.equal(formatDevice({ type: 'cpu' }), 'cpu')
  t.equal(formatDevice({ type: 'cuda', index: 3 }), 'cuda:3')
  for (const wrong of ['', 'gpu', 'cuda:', 'cuda:x', 'cpu,cuda:0', 'cuda:-1', 'cuda:0,']) {
    const message = `the device must be auto, cpu, or a list such as cuda:0,cuda:1, not "${wrong}"`
    t.throws(() => parseDeviceSpec(wrong), { name: 'DeviceSpecError', message })
  }
  t.throws(() => parseDeviceSpec('cuda:1,cuda:1'), { message: 'the device list "cuda:1,cuda:1" names cuda:1 twice' })
})

t.test('auto takes every usable CUDA device, else the processor, and says why', async t => {
  t.same(await resolveDevices('auto', reporting(FINE)), {
    devices: [{ type: 'cuda', index: 0 }, { type: 'cuda', index: 1 }], reason: 'usable CUDA devices found: cuda:0 (H200), cuda:1 (H200)',
  })
  const broken = { ...FINE, devices: [{ index: 0, isUsable: false, problem: 'out of memory' }, { index: 1, isUsable: true }] }
  t.same((await resolveDevices('auto', reporting(broken))).devices, [{ type: 'cuda', index: 1 }])
  t.same(await resolveDevices('auto', reporting({ ...FINE, devices: [] })), {
    devices: [{ type: 'cpu' }], reason: 'no CUDA device can be used: the driver reports no CUDA device; the processor has 4 cores',
  })
})

t.test('a device that was asked for is used or refused, never replaced', async t => {
  const never = (): Promise<DeviceReport> => { throw new Error('nobody asked for CUDA') }
  t.same((await resolveDevices('cpu', never)).devices, [{ type: 'cpu' }])
  t.same((await resolveDevices('cuda:1', reporting(FINE))).devices, [{ type: 'cuda', index: 1 }])
  await t.rejects(resolveDevices('cuda:7', reporting(FINE)), {
    name: 'DeviceUnusableError', message: 'cuda:7 cannot be used: the usable ones are cuda:0, cuda:1.',
  })
  const noDriver = { ...FINE, devices: [], driver: { name: 'libcuda.so.1', isFound: false } }
  await t.rejects(resolveDevices('cuda', reporting(noDriver)), {
    message: /^cuda:0 cannot be used: the NVIDIA driver is not installed .*\n {2}Install the NVIDIA driver/,
  })
})

t.test('what is missing is named with the command that installs it', async t => {
  const missing = (name: string) => ({ name, isFound: false, problem: 'cannot open shared object file' })
  const files = [missing('libonnxruntime_providers_cuda.so')]
  const provider = interpretFindings({ ...FINE, devices: [], provider: { folder: '/runtime', files } })
  t.equal(provider.problem, "the runtime's CUDA provider is not installed (libonnxruntime_providers_cuda.so not found in /runtime)")
  t.match(provider.advice.join(), /npm rebuild onnxruntime-node --ignore-scripts=false/)

  const libraries = FINE.libraries.map(({ name }) => (/cublas|cudnn/.test(name) ? missing(name) : { name, isFound: true }))
  const incomplete = interpretFindings({ ...FINE, devices: [], libraries })
  t.equal(incomplete.problem, 'CUDA libraries are missing: libcublas.so.13, libcublasLt.so.13, libcudnn.so.9')
  t.match(incomplete.advice.join(), /apt-get install libcublas-13-0 libcudnn9-cuda-13$/)

  const refused = interpretFindings({ ...FINE, devices: [], sessionProblem: 'CUDA failure 35: driver too old' })
  t.equal(refused.problem, 'CUDA failure 35: driver too old')
  t.same(interpretFindings(FINE).advice, [])
  t.equal(interpretFindings(FINE).problem, undefined)
})

t.test('the probe looks at this machine without loading the runtime here and without throwing', async t => {
  const { cpu, cuda } = await probeDevices()
  t.ok(cpu.cores >= 1)
  t.same(cuda.libraries.map(library => library.name), Object.keys(CUDA_LIBRARIES))
  t.ok(cuda.provider.folder.includes('onnxruntime-node'))
  t.equal(cuda.problem === undefined, cuda.usable.length > 0)
  for (const library of [...cuda.libraries, cuda.driver]) t.equal(library.problem === undefined, library.isFound, library.name)
})

t.test('a probe that crashes or hangs is a reason, not a failure', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'latentd-probe-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const entry = (name: string, code: string): URL => {
    writeFileSync(join(folder, name), code)
    return pathToFileURL(join(folder, name))
  }
  const crashing = "console.error('a library is broken'); process.kill(process.pid, 'SIGSEGV')"
  const crash = await probeDevices({ entry: entry('crash.mjs', crashing) })
  t.match(crash.cuda.problem, /^the probing process was ended by SIGSEGV: .*a library is broken/)
  const exit = await probeDevices({ entry: entry('exit.mjs', 'process.exit(3)') })
  t.equal(exit.cuda.problem, 'the probing process ended with code 3')
  const hang = await probeDevices({ timeoutMs: 300, entry: entry('hang.mjs', 'setInterval(() => {}, 1000)') })
  t.equal(hang.cuda.problem, 'the probing process gave no answer in 300 ms')
  t.same(hang.cuda.usable, [])
})

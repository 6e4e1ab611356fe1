import type { CudaDevice, CudaReport, LibraryFinding } from './device-report.ts'

/** Everything the probing process reports; what it means is worked out from it. */
export type CudaFindings = Pick<CudaReport, 'provider' | 'libraries' | 'driver'> & {
  readonly devices: readonly CudaDevice[]
  /** What opening a CUDA session said when no device could be used. */
  readonly sessionProblem?: string
}

/** Libraries of CUDA 13 that the runtime's provider needs, and the Ubuntu and Debian packages of NVIDIA's repository that hold them. */
export const CUDA_LIBRARIES = {
  'libcudart.so.13': 'cuda-cudart-13-0',
  'libcublas.so.13': 'libcublas-13-0',
  'libcublasLt.so.13': 'libcublas-13-0',
  'libcurand.so.10': 'libcurand-13-0',
  'libcufft.so.12': 'libcufft-13-0',
  'libcudnn.so.9': 'libcudnn9-cuda-13',
} as const satisfies Record<string, string>

export const CUDA_DRIVER = 'libcuda.so.1'
export const PROVIDER_FILES = ['libonnxruntime_providers_cuda.so', 'libonnxruntime_providers_shared.so'] as const

const MIN_DRIVER = 580

/** What the findings mean: which devices can be used, why none, and what to do about it. */
export function interpretFindings(findings: CudaFindings): CudaReport {
  const { provider, libraries, driver, devices, sessionProblem } = findings
  const usable = devices.filter(device => device.isUsable).map(device => device.index)
  const report = { usable, provider, libraries, driver, devices, advice: advise(findings) }
  if (usable.length > 0) return report
  return { ...report, problem: firstProblem(findings) ?? sessionProblem ?? 'the driver reports no CUDA device' }
}

function firstProblem({ driver, provider, libraries, devices }: CudaFindings): string | undefined {
  if (!driver.isFound) return `the NVIDIA driver is not installed (${driver.name} cannot be loaded)`
  const absent = missing(provider.files)
  if (absent.length > 0) return `the runtime's CUDA provider is not installed (${list(absent)} not found in ${provider.folder})`
  const unloadable = missing(libraries)
  if (unloadable.length > 0) return `CUDA libraries are missing: ${list(unloadable)}`
  return devices.find(device => device.problem)?.problem
}

function advise({ driver, provider, libraries }: CudaFindings): readonly string[] {
  const advice: string[] = []
  if (!driver.isFound) {
    advice.push(`Install the NVIDIA driver ${MIN_DRIVER} or newer; in a container, start it with GPU access (docker run --gpus all).`)
  }
  if (missing(provider.files).length > 0) {
    advice.push(`Install the runtime's CUDA provider: npm rebuild onnxruntime-node --ignore-scripts=false, or put ${PROVIDER_FILES.join(' and ')} ` +
      `of the Python wheel onnxruntime-gpu, of the same version, into ${provider.folder} (docs/gpu.md)`)
  }
  const packages = new Set(missing(libraries).map(({ name }) => CUDA_LIBRARIES[name as keyof typeof CUDA_LIBRARIES]))
  if (packages.size > 0) {
    advice.push(`Install the CUDA 13 libraries from NVIDIA's package repository: apt-get install ${[...packages].join(' ')}`)
  }
  return advice
}

function missing(findings: readonly LibraryFinding[]): readonly LibraryFinding[] {
  return findings.filter(finding => !finding.isFound)
}

function list(findings: readonly LibraryFinding[]): string {
  return findings.map(({ name }) => name).join(', ')
}

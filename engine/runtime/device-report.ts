/** What was found about the devices of this machine, for people and for choosing one. */
export interface DeviceReport {
  readonly cpu: { readonly model: string; readonly cores: number }
  readonly cuda: CudaReport
}

export interface CudaReport {
  /** Devices that computed a small graph. */
  readonly usable: readonly number[]
  /** Why there is no usable device, in one sentence; absent when there is one. */
  readonly problem?: string
  /** The runtime's CUDA provider: it must lie beside the runtime's own library. */
  readonly provider: { readonly folder: string; readonly files: readonly LibraryFinding[] }
  /** What the provider is linked to or loads later, by the name that the system's loader is asked for. */
  readonly libraries: readonly LibraryFinding[]
  readonly driver: LibraryFinding & { readonly version?: string }
  readonly devices: readonly CudaDevice[]
  /** What to do, most urgent first; commands where there is one. */
  readonly advice: readonly string[]
}

export interface LibraryFinding {
  readonly name: string
  readonly isFound: boolean
  /** What the system's loader says; absent when it was found. */
  readonly problem?: string
}

export interface CudaDevice {
  readonly index: number
  /** As the driver names it, where its tool is installed. */
  readonly name?: string
  readonly memoryMiB?: number
  readonly isUsable: boolean
  readonly problem?: string
}

import type { Device } from './model-session.ts'

/** What a user asks to compute on: whatever is best, or exactly these. */
export type DeviceSpec = { readonly type: 'auto' } | { readonly type: 'devices'; readonly devices: readonly Device[] }

/** A device setting that cannot be understood; the message says what was expected. */
export class DeviceSpecError extends Error {
  override readonly name = 'DeviceSpecError'
}

const EXPECTED = 'auto, cpu, or a list such as cuda:0,cuda:1'
const CUDA = /^cuda(?::(\d{1,3}))?$/

/** Reads `auto`, `cpu`, `cuda`, `cuda:N` or a comma-separated list of the latter. Throws a DeviceSpecError. */
export function parseDeviceSpec(text: string): DeviceSpec {
  const trimmed = text.trim().toLowerCase()
  if (trimmed === 'auto') return { type: 'auto' }
  if (trimmed === 'cpu') return { type: 'devices', devices: [{ type: 'cpu' }] }
  const devices = trimmed.split(',').map(part => {
    const match = CUDA.exec(part.trim())
    if (!match) throw new DeviceSpecError(`the device must be ${EXPECTED}, not "${text}"`)
    return { type: 'cuda' as const, index: Number(match[1] ?? 0) }
  })
  const repeated = devices.find((device, at) => devices.findIndex(other => other.index === device.index) !== at)
  if (repeated) throw new DeviceSpecError(`the device list "${text}" names cuda:${repeated.index} twice`)
  return { type: 'devices', devices }
}

/** A device as users write it: `cpu`, `cuda:0`. */
export function formatDevice(device: Device): string {
  return device.type === 'cpu' ? 'cpu' : `cuda:${device.index}`
}

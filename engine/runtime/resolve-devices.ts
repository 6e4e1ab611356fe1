import type { DeviceReport } from './device-report.ts'
import { formatDevice, parseDeviceSpec } from './device-spec.ts'
import type { Device } from './model-session.ts'
import { probeDevices } from './probe-devices.ts'

/** The devices to compute on, one worker each, and why these, in one sentence for people. */
export interface DeviceChoice {
  readonly devices: readonly Device[]
  readonly reason: string
}

/** A device that was asked for cannot be used; the message says why and what to do. */
export class DeviceUnusableError extends Error {
  override readonly name = 'DeviceUnusableError'
}

/**
 * Chooses devices by a setting: `auto` takes every usable CUDA device, else the processor; others are taken as they are.
 * Throws a DeviceSpecError for a setting it does not understand, a DeviceUnusableError for a device that cannot be used.
 *
 * @param probe looks at the machine, only called where CUDA matters
 */
export async function resolveDevices(setting: string, probe: () => Promise<DeviceReport> = probeDevices): Promise<DeviceChoice> {
  const spec = parseDeviceSpec(setting)
  if (spec.type === 'auto') return chooseBest(await probe())
  const wanted = spec.devices
  const cuda = wanted.flatMap(device => (device.type === 'cuda' ? [device.index] : []))
  if (cuda.length > 0) refuseUnusable(cuda, await probe())
  return { devices: wanted, reason: `as asked for with --device ${setting.trim()}` }
}

function chooseBest({ cuda, cpu }: DeviceReport): DeviceChoice {
  const devices = cuda.usable.map(index => ({ type: 'cuda' as const, index }))
  if (devices.length === 0) {
    const why = `no CUDA device can be used: ${cuda.problem ?? 'none was found'}`
    return { devices: [{ type: 'cpu' }], reason: `${why}; the processor has ${cpu.cores} cores` }
  }
  const names = devices.map(device => describe(device, cuda.devices.find(({ index }) => index === device.index)?.name))
  return { devices, reason: `usable CUDA devices found: ${names.join(', ')}` }
}

function refuseUnusable(wanted: readonly number[], { cuda }: DeviceReport): void {
  const index = wanted.find(each => !cuda.usable.includes(each))
  if (index === undefined) return
  const found = cuda.usable.length > 0 ? `the usable ones are ${cuda.usable.map(each => `cuda:${each}`).join(', ')}` : undefined
  const problem = cuda.devices.find(device => device.index === index)?.problem ?? found ?? cuda.problem ?? 'no CUDA device was found'
  throw new DeviceUnusableError([`cuda:${index} cannot be used: ${problem}.`, ...cuda.advice].join('\n  '))
}

function describe(device: Device, name: string | undefined): string {
  return name ? `${formatDevice(device)} (${name})` : formatDevice(device)
}

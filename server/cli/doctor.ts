import { DeviceSpecError, DeviceUnusableError, formatDevice, probeDevices, resolveDevices } from '../../engine/index.ts'
import type { CudaReport, LibraryFinding } from '../../engine/index.ts'
import type { PlacedConfig } from '../config/default-places.ts'
import { StartError } from '../start-error.ts'
import type { CliContext } from './cli-context.ts'

/** Prints what can compute here, what is missing and how to get it. Throws a StartError when the configured device cannot. */
export async function runDoctor({ device }: PlacedConfig, { print }: CliContext): Promise<void> {
  const report = await probeDevices()
  print(`processor: ${report.cpu.model}, ${report.cpu.cores} cores`)
  for (const line of describeCuda(report.cuda)) print(line)
  try {
    const choice = await resolveDevices(device, () => Promise.resolve(report))
    print(`device ${device}: ${choice.devices.map(formatDevice).join(', ')} (${choice.reason})`)
  } catch (cause) {
    if (cause instanceof DeviceSpecError || cause instanceof DeviceUnusableError) throw new StartError(cause.message, { cause })
    throw cause
  }
}

function describeCuda({ usable, problem, provider, libraries, driver, devices, advice }: CudaReport): string[] {
  return [
    `cuda: ${problem === undefined ? `usable (${usable.map(index => `cuda:${index}`).join(', ')})` : problem}`,
    `  provider library, looked for in ${provider.folder || 'the runtime\'s folder'}:`,
    ...provider.files.map(describeLibrary),
    '  libraries it needs:',
    ...libraries.map(describeLibrary),
    `  driver:\n${describeLibrary(driver)}${driver.version === undefined ? '' : ` (version ${driver.version})`}`,
    '  devices:',
    ...(devices.length === 0 ? ['    none'] : devices.map(({ index, name, memoryMiB, isUsable, problem: why }) =>
      `    cuda:${index} ${name ?? ''} ${memoryMiB === undefined ? '' : `${memoryMiB} MiB `}${isUsable ? 'usable' : why ?? 'not usable'}`)),
    ...(advice.length === 0 ? [] : ['  what to do:', ...advice.map(line => `    ${line}`)]),
  ]
}

function describeLibrary({ name, isFound, problem }: LibraryFinding): string {
  return `    ${isFound ? 'found  ' : 'MISSING'} ${name}${problem === undefined ? '' : `: ${problem}`}`
}

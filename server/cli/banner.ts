import type { BrokenModel, DeviceChoice, ModelSpec } from '../../engine/index.ts'
import { formatDevice } from '../../engine/index.ts'

/** What the start-up message tells. */
export interface BannerFacts {
  readonly version: string
  readonly host: string
  readonly port: number
  readonly models: readonly ModelSpec[]
  readonly broken: readonly BrokenModel[]
  readonly devices: DeviceChoice
  /** Shown once, when it was made just now. */
  readonly apiKey: string | undefined
}

/** The lines that a started server prints. */
export function formatBanner({ version, host, port, models, broken, devices, apiKey }: BannerFacts): string[] {
  const address = addressOf(host, port)
  const checkpoint = models.find(({ type }) => type === 'checkpoint')
  return [
    `latentd ${version}`,
    `  WebSocket  ws://${address}/v1`,
    `  REST       http://${address}/v1`,
    `  device     ${devices.devices.map(formatDevice).join(', ')} (${devices.reason})`,
    ...models.map(({ air, name, type }, at) => `  ${at === 0 ? 'models   ' : '         '}  ${air}  ${name}${type === 'checkpoint' ? '' : ` (${type})`}`),
    ...broken.map(({ air, reason }) => `  broken     ${air}: ${reason}`),
    ...(apiKey === undefined ? [] : [`  API key    ${apiKey}  (shown only now)`]),
    ...(checkpoint ? ['', tryIt(apiKey), `  ${curlLine(address, apiKey, checkpoint)}`] : []),
    '',
  ]
}

function tryIt(apiKey: string | undefined): string {
  const key = apiKey === undefined ? ', with an API key in LATENTD_KEY (latentd keys create makes a new one)' : ''
  return `Try it${key}; the picture is at the imageURL of the answer:`
}

/** A command that makes a picture when it is pasted into a shell; the taskUUID is new each time. */
function curlLine(address: string, apiKey: string | undefined, { air, defaults }: ModelSpec): string {
  const size = { ...(defaults.width === undefined && { width: 512 }), ...(defaults.height === undefined && { height: 512 }) }
  const task = JSON.stringify([{ taskType: 'imageInference', taskUUID: 'TASK', model: air, positivePrompt: 'a red circle on a white background', ...size, outputFormat: 'PNG' }])
  const body = task.replace('TASK', `curl-'"$(date +%s)"'`)
  return `curl -s http://${address}/v1 -H 'Content-Type: application/json' -H "Authorization: Bearer ${apiKey ?? '$LATENTD_KEY'}" -d '${body}'`
}

function addressOf(host: string, port: number): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return `${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`
}

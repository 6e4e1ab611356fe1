import type { BenchContext } from '../bench-context.ts'
import type { Scenario } from '../generated/scenarios.ts'
import { measureEngineOpening } from './engine-opening.ts'
import { measureEngineOverhead } from './engine-overhead.ts'
import { measureEngineProfile } from './engine-profile.ts'
import { measureEngineSteps } from './engine-steps.ts'
import { measureGatewayHandshakes } from './gateway-handshakes.ts'
import { measureGatewayMessages } from './gateway-messages.ts'
import { measureGatewaySessions } from './gateway-sessions.ts'
import { measurePeers } from './peers.ts'
import { measureServerFairness } from './server-fairness.ts'
import { measureServerLoad } from './server-load.ts'
import { measureServerMix } from './server-mix.ts'

type BenchKinds = { readonly [Kind in Scenario['kind']]: (scenario: Extract<Scenario, { kind: Kind }>, context: BenchContext) => Promise<void> }

/** How each kind of scenario is measured. */
export const benchKinds: BenchKinds = {
  gatewayMessages: measureGatewayMessages,
  gatewaySessions: measureGatewaySessions,
  gatewayHandshakes: measureGatewayHandshakes,
  engineOverhead: measureEngineOverhead,
  engineSteps: measureEngineSteps,
  engineOpening: measureEngineOpening,
  engineProfile: measureEngineProfile,
  serverLoad: measureServerLoad,
  serverMix: measureServerMix,
  serverFairness: measureServerFairness,
  peers: measurePeers,
}

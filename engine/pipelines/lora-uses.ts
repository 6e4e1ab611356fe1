import type { LoadedLora, NetworkLora } from '../models/loaded-model.ts'
import type { NetworkLoraUse } from './network-lora-use.ts'
import type { LoraPart } from './pipeline.ts'

/** What of a request's LoRAs changes the UNet's output. */
export function unetLoras(loras: readonly LoraPart[] = []): readonly NetworkLoraUse[] {
  return effective(loras, ({ unet }) => unet)
}

/** What of a request's LoRAs changes the states of a text encoder, by its index. */
export function textLoras(encoder: number, loras: readonly LoraPart[] = []): readonly NetworkLoraUse[] {
  return effective(loras, ({ textEncoders }) => textEncoders[encoder] as NetworkLora)
}

/** Those with layers in the network and a weight: others would only make a run larger, and texts be encoded once more. */
function effective(loras: readonly LoraPart[], networkOf: (lora: LoadedLora) => NetworkLora): readonly NetworkLoraUse[] {
  return loras
    .map(({ air, lora, weight }) => ({ air, lora: networkOf(lora), weight }))
    .filter(({ lora, weight }) => lora.rank > 0 && weight !== 0)
}

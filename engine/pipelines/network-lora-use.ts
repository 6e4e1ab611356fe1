import type { NetworkLora } from '../models/loaded-model.ts'

/** What a row of a network takes of a LoRA. */
export interface NetworkLoraUse {
  readonly air: string
  readonly lora: NetworkLora
  readonly weight: number
}

/** How networks compute: as suits the device, or with the linear layers of their transformers in whole numbers of 8 bits. */
export type ModelPrecision = 'default' | 'int8'

/** Behind whatever stands before the names of a network's layers. */
const TRANSFORMER = /(^|\.)attentions\.\d+\./

/** Which linear layers of a UNet, and of ControlNets drawn into it, compute in whole numbers at a precision; by the names of layers or their tensors. */
export function integerLayers(precision: ModelPrecision): (name: string) => boolean {
  return precision === 'int8' ? name => TRANSFORMER.test(name) : () => false
}

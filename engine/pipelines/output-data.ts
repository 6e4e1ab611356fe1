import { EngineError } from '../engine-error.ts'
import type { Tensor, TensorData, TensorDtype } from '../tensor.ts'

/** The data of a network's output, or an EngineError when the network does not give it. */
export function outputData<D extends TensorDtype>(
  outputs: Readonly<Record<string, Tensor>>,
  name: string,
  dtype: D,
  length: number,
): TensorData[D] {
  const tensor = outputs[name]
  if (tensor?.dtype !== dtype || tensor.data.length !== length) {
    const got = tensor === undefined ? 'nothing' : `${tensor.dtype} [${tensor.dims.join(', ')}]`
    throw new EngineError('inferenceError', `output ${name}: expected ${length} values of ${dtype}, got ${got}`)
  }
  // The dtype was compared; TypeScript does not narrow a generic by it.
  return tensor.data as TensorData[D]
}

import { DTYPE_BITS } from './stored-tensor.ts'
import type { StoredTensor } from './stored-tensor.ts'
import { WeightError } from './weight-error.ts'

/** The matrix that a 1×1 convolution is: [out, in, 1, 1] seen as [out, in], the same bytes. Other shapes stay as they are. */
export function linearView(tensor: StoredTensor): StoredTensor {
  const { shape } = tensor
  const trailing = shape.slice(2)
  return shape.length > 2 && trailing.every(dim => dim === 1) ? { ...tensor, shape: shape.slice(0, 2) } : tensor
}

/** A matrix that another program multiplies from the other side: [in, out] seen as [out, in]; the graph turns it. */
export function transposedView(tensor: StoredTensor): StoredTensor {
  return { ...tensor, shape: tensor.shape.toReversed(), isTransposed: true }
}

/** Part `part` of `parts` equal ones along the first axis, as a byte range of the same file. */
export function slicedView(tensor: StoredTensor, part: number, parts: number, name: string): StoredTensor {
  const [rows, ...rest] = tensor.shape
  if (rows === undefined || rows % parts !== 0 || DTYPE_BITS[tensor.dtype] < 8) {
    throw new WeightError(`the tensor ${name} of shape [${tensor.shape.join(', ')}] cannot be cut in ${parts}`)
  }
  const byteLength = tensor.byteLength / parts
  return { ...tensor, offset: tensor.offset + part * byteLength, byteLength, shape: [rows / parts, ...rest] }
}

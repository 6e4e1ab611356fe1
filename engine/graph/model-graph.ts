import type { TensorDtype } from '../tensor.ts'

/** Name, element type and dims of a graph's input or output; a string is a dimension known only at run time. */
export interface TensorSpec {
  readonly name: string
  readonly dtype: TensorDtype
  readonly dims: readonly (number | string)[]
}

/** A compiled component: an ONNX model whose large initializers stay in the weight files. */
export interface ModelGraph {
  /** For messages and profiles, for example `unet`. */
  readonly name: string
  /** Serialises the ONNX ModelProto: most of the work of compiling, and only a session needs it. */
  encode(): Uint8Array
  /** Folder that the initializers' relative file names start from. */
  readonly weightsFolder: string
  readonly inputs: readonly TensorSpec[]
  readonly outputs: readonly TensorSpec[]
}

/**
 * How a graph is lowered: float32 NCHW for the CPU, float16 NHWC with the runtime's fused operators for CUDA.
 * Inputs and outputs are the same for both, but for what `Layers.takesKeysAndValues` says.
 */
export type Lowering = 'cpu' | 'cuda'

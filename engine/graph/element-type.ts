/** Element types of the values inside a graph, with the numbers ONNX gives them. */
export const ELEMENT_CODES = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  bfloat16: 16,
} as const
export type ElementType = keyof typeof ELEMENT_CODES

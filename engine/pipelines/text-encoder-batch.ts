import type { EncoderRow } from '../prompts/prompt-plan.ts'
import type { VectorToken } from '../prompts/prompt-token.ts'
import type { Tensor } from '../tensor.ts'

/** Added to the attention scores of hidden tokens; exp() of it is 0. */
const HIDDEN_BIAS = -10_000

/** What a row's states depend on beside the model, as text. */
export function rowKey({ tokens, hidden }: EncoderRow): string {
  const ids = tokens.map((token) => (typeof token === 'number' ? token : `<${token.key}>`)).join(',')
  return hidden === undefined ? ids : `${ids} without ${hidden.join('-')}`
}

/** Rows of equal length as the text encoder's feeds; each vector is given once. */
export function textEncoderFeeds(rows: readonly EncoderRow[], width: number): Readonly<Record<string, Tensor>> {
  const length = (rows[0] as EncoderRow).tokens.length
  const inputIds = new BigInt64Array(rows.length * length)
  const vectorIds = new BigInt64Array(rows.length * length)
  const bias = new Float32Array(rows.length * length)
  const vectors = new Map<string, { readonly token: VectorToken; readonly index: number }>()
  rows.forEach(({ tokens, hidden }, row) => {
    tokens.forEach((token, place) => {
      const at = row * length + place
      if (typeof token === 'number') {
        inputIds[at] = BigInt(token)
        return
      }
      const known = vectors.get(token.key) ?? { token, index: vectors.size + 1 }
      vectors.set(token.key, known)
      vectorIds[at] = BigInt(known.index)
    })
    if (hidden) bias.fill(HIDDEN_BIAS, row * length + hidden[0], row * length + hidden[1] + 1)
  })
  return {
    input_ids: { dtype: 'int64', dims: [rows.length, length], data: inputIds },
    attention_bias: { dtype: 'float32', dims: [rows.length, 1, 1, length], data: bias },
    vector_ids: { dtype: 'int64', dims: [rows.length, length], data: vectorIds },
    vectors: { dtype: 'float32', dims: [vectors.size + 1, width], data: vectorTable([...vectors.values()], width) },
  }
}

/** The vectors behind a row that nothing names: where a prompt has none, the table is not empty. */
function vectorTable(vectors: readonly { readonly token: VectorToken; readonly index: number }[], width: number): Float32Array {
  const table = new Float32Array((vectors.length + 1) * width)
  for (const { token: { vector, scale }, index } of vectors) {
    for (let i = 0; i < width; i++) table[index * width + i] = scale * (vector[i] as number)
  }
  return table
}

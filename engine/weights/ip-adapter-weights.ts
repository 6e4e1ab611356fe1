import type { StoredTensor, StoredTensors } from './stored-tensor.ts'
import { TensorSource } from './tensor-source.ts'
import type { NamedTensor } from './tensor-source.ts'
import { slicedView } from './tensor-views.ts'

/** The two parts of an IP-Adapter's file, under the names that stand behind the part's own. */
export interface IpAdapterWeights {
  /** From the image encoder's output to tokens. */
  readonly projection: TensorSource
  /** Keys and values of the UNet's attention. */
  readonly attention: TensorSource
  /** Tensors that belong to neither. */
  readonly strangers: readonly string[]
}

const PROJECTION = 'image_proj.'
const ATTENTION = 'ip_adapter.'

/** Sorts the tensors of an IP-Adapter in the published layout. */
export function ipAdapterWeights(tensors: StoredTensors): IpAdapterWeights {
  const part = (label: string, prefix: string): TensorSource => {
    const named = [...tensors].filter(([name]) => name.startsWith(prefix)).flatMap(([name, tensor]) => namedTensors(name, name.slice(prefix.length), tensor))
    return new TensorSource({ label, tensors: new Map(named), isIgnorable: () => false })
  }
  return {
    projection: part('image projection', PROJECTION),
    attention: part('IP-Adapter', ATTENTION),
    strangers: [...tensors.keys()].filter(name => !name.startsWith(PROJECTION) && !name.startsWith(ATTENTION)),
  }
}

/** The resampler's keys and values lie in one matrix. */
function namedTensors(original: string, name: string, tensor: StoredTensor): readonly (readonly [string, NamedTensor])[] {
  if (!name.endsWith('.to_kv.weight')) return [[name, { original, tensor }]]
  return ['to_k', 'to_v'].map((half, index) => [name.replace('to_kv', half), { original, tensor: slicedView(tensor, index, 2, original) }])
}

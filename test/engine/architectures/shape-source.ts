import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { WeightRef, WeightSource } from '../../../engine/weights/weight-source.ts'

/** Accepts every name and remembers its shape; nothing lies behind the references. */
export class ShapeSource implements WeightSource {
  readonly shapes = new Map<string, readonly number[]>()

  has(): boolean {
    return true
  }

  get(name: string, shape: readonly number[] = []): WeightRef {
    this.shapes.set(name, shape)
    return { file: '/weights/model.safetensors', offset: 0, byteLength: count(shape) * 4, dtype: 'F32', shape }
  }

  unused(): readonly string[] {
    return []
  }

  /** Numbers in all tensors that were asked for. */
  get parameters(): number {
    return [...this.shapes.values()].reduce((sum, shape) => sum + count(shape), 0)
  }
}

/** Writes float32 numbers to a file of its own; call `remove` when the graph is closed. */
export function writeWeight(shape: readonly number[], numbers: Float32Array): { ref: WeightRef; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'latentd-weight-'))
  const file = join(folder, 'weight.bin')
  writeFileSync(file, new Uint8Array(numbers.buffer))
  const ref = { file, offset: 0, byteLength: numbers.byteLength, dtype: 'F32', shape } as const
  return { ref, remove: () => rmSync(folder, { recursive: true }) }
}

function count(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1)
}

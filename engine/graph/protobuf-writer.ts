const VARINT = 0
const LENGTH_DELIMITED = 2
const FIXED32 = 5
const FIRST_CAPACITY = 256

const encoder = new TextEncoder()

/** Writes one protobuf message, field by field; a field that is written twice is a repeated one. */
export class ProtobufWriter {
  #buffer = new Uint8Array(FIRST_CAPACITY)
  #length = 0

  /** int32, int64 and enum fields. Negative numbers take ten bytes, as protobuf wants. */
  integer(field: number, value: number | bigint): this {
    this.#tag(field, VARINT)
    this.#varint(BigInt.asUintN(64, BigInt(value)))
    return this
  }

  float(field: number, value: number): this {
    this.#tag(field, FIXED32)
    this.#reserve(4)
    new DataView(this.#buffer.buffer).setFloat32(this.#length, value, true)
    this.#length += 4
    return this
  }

  string(field: number, value: string): this {
    return this.bytes(field, encoder.encode(value))
  }

  bytes(field: number, value: Uint8Array): this {
    this.#tag(field, LENGTH_DELIMITED)
    this.#varint(BigInt(value.length))
    this.#reserve(value.length)
    this.#buffer.set(value, this.#length)
    this.#length += value.length
    return this
  }

  message(field: number, value: ProtobufWriter): this {
    return this.bytes(field, value.finish())
  }

  /** What was written, without a copy: the writer is not used after. */
  finish(): Uint8Array {
    return this.#buffer.subarray(0, this.#length)
  }

  #tag(field: number, wireType: number): void {
    this.#varint(BigInt(field * 8 + wireType))
  }

  #varint(value: bigint): void {
    this.#reserve(10)
    while (value > 127n) {
      this.#buffer[this.#length++] = Number(value & 127n) | 128
      value >>= 7n
    }
    this.#buffer[this.#length++] = Number(value)
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#buffer.length) return
    const larger = new Uint8Array(Math.max(this.#buffer.length * 2, this.#length + count))
    larger.set(this.#buffer.subarray(0, this.#length))
    this.#buffer = larger
  }
}

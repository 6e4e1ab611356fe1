/** 8-bit samples, row-major, the channels of a pixel side by side. */
export interface Samples {
  readonly width: number
  readonly height: number
  readonly channels: number
  readonly data: Uint8Array
}

/** A function of the distance to a sample, zero beyond `support`. */
interface Kernel {
  readonly support: number
  at(distance: number): number
}

const KERNELS = {
  /** Cubic convolution (Keys, 1981) with a = -1/2. */
  bicubic: {
    support: 2,
    at(distance) {
      const x = Math.abs(distance)
      if (x < 1) return (1.5 * x - 2.5) * x * x + 1
      return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0
    },
  },
  /** A sinc under the middle of a three times wider one. */
  lanczos: { support: 3, at: x => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
} as const satisfies Record<string, Kernel>

/** Ways to weigh the samples around a place. */
export type ResampleKernel = keyof typeof KERNELS

/** Fraction bits of weights: eight bits of a sample and two for kernels that overshoot fit beside them in 32. */
const FRACTION_BITS = 32 - 8 - 2
const ONE = 2 ** FRACTION_BITS

/** The samples that each place of a line is made of: `count` weights a place, unused ones zero, and where its first sample is. */
interface Weights {
  readonly first: Int32Array
  readonly count: number
  readonly values: Int32Array
}

/**
 * Another size of a picture, byte for byte as Pillow 13's `Image.resize` gives it, which diffusers and transformers resize with:
 * one pass along each side, the kernel as wide as one place of the coarser grid, sums in fixed point and rounded after each pass.
 */
export function resample(picture: Samples, width: number, height: number, kernel: ResampleKernel): Samples {
  const alongRows = (input: Samples): Samples =>
    width === input.width ? input : resampleRows(input, lineWeights(input.width, width, KERNELS[kernel]))
  const alongColumns = (input: Samples): Samples =>
    height === input.height ? input : resampleColumns(input, lineWeights(input.height, height, KERNELS[kernel]))
  // The order shows in the rounding. Pillow's choice: the pass that takes away more goes first, rows count twice.
  const lostRows = picture.height - height
  const isColumnsFirst = lostRows > 0 && lostRows > 2 * (picture.width - width)
  return isColumnsFirst ? alongRows(alongColumns(picture)) : alongColumns(alongRows(picture))
}

function resampleRows({ width, height, channels, data }: Samples, { first, count, values }: Weights): Samples {
  const places = first.length
  const out = new Uint8ClampedArray(places * height * channels)
  let to = 0
  for (let y = 0; y < height; y++) {
    for (let place = 0; place < places; place++) {
      const from = (y * width + (first[place] as number)) * channels
      for (let channel = 0; channel < channels; channel++) out[to++] = weigh(data, from + channel, channels, values, place * count, count)
    }
  }
  return { width: places, height, channels, data: new Uint8Array(out.buffer) }
}

function resampleColumns({ width, channels, data }: Samples, { first, count, values }: Weights): Samples {
  const places = first.length
  const line = width * channels
  const out = new Uint8ClampedArray(places * line)
  let to = 0
  for (let place = 0; place < places; place++) {
    const from = (first[place] as number) * line
    for (let x = 0; x < line; x++) out[to++] = weigh(data, from + x, line, values, place * count, count)
  }
  return { width, height: places, channels, data: new Uint8Array(out.buffer) }
}

/** A weighted sum, rounded half up; may leave 0 to 255, which the array it is written to cuts off. */
function weigh(data: Uint8Array, from: number, stride: number, weights: Int32Array, at: number, count: number): number {
  let sum = ONE / 2
  for (let i = 0; i < count; i++) {
    const weight = weights[at + i] as number
    // Past a place's last sample the weights are zero, and at the end of the picture there is nothing to read.
    if (weight !== 0) sum += (data[from + i * stride] as number) * weight
  }
  return sum >> FRACTION_BITS
}

function lineWeights(size: number, places: number, kernel: Kernel): Weights {
  const scale = size / places
  const spread = Math.max(scale, 1)
  const support = kernel.support * spread
  const count = Math.ceil(support) * 2 + 1
  const first = new Int32Array(places)
  const values = new Int32Array(places * count)
  for (let place = 0; place < places; place++) {
    const centre = (place + 0.5) * scale
    const start = Math.max(0, Math.trunc(centre - support + 0.5))
    const end = Math.min(size, Math.trunc(centre + support + 0.5))
    const weights = Array.from({ length: end - start }, (_, i) => kernel.at((i + start - centre + 0.5) / spread))
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    first[place] = start
    values.set(weights.map(weight => toFixedPoint(total === 0 ? weight : weight / total)), place * count)
  }
  return { first, count, values }
}

/** Rounded half away from zero. */
function toFixedPoint(weight: number): number {
  return Math.trunc(weight * ONE + (weight < 0 ? -0.5 : 0.5))
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x)
}

import t from 'tap'
import type { Test } from 'tap'
import { writeControlScales } from '../../../engine/pipelines/control-scales.ts'
import type { ControlMoment, ControlSettings } from '../../../engine/pipelines/control-scales.ts'

const SETTINGS: ControlSettings = { weight: 1, start: 0, end: 1, controlMode: 'balanced' }

function scales(settings: Partial<ControlSettings>, moment: Partial<ControlMoment> = {}, maps = 13, isPooled = false): number[] {
  const out = new Float32Array(maps).fill(9)
  writeControlScales({ ...SETTINGS, ...settings }, { isPooled }, { evaluation: 0, evaluations: 10, isNegative: false, ...moment }, out)
  return [...out]
}

function close(t: Test, actual: readonly number[], expected: readonly number[], title: string): void {
  t.ok(actual.length === expected.length && actual.every((value, i) => Math.abs(value - (expected[i] as number)) < 1e-6), `${title}: ${actual.join(', ')}`)
}

t.test('the balanced mode takes every map with the weight', async t => {
  t.same(scales({ weight: 0.5 }), new Array(13).fill(0.5))
  t.same(scales({ weight: 0.5 }, { isNegative: true }), new Array(13).fill(0.5))
  t.same(scales({ weight: 0 }), new Array(13).fill(0))
})

t.test('the prompt mode takes the finer maps less, in both rows', async t => {
  // 0.825 ** (12 - i), as the web UI extension has it; the ten maps of SDXL end before the last.
  const expected = Array.from({ length: 13 }, (_, i) => 0.825 ** (12 - i))
  close(t, scales({ controlMode: 'prompt' }), expected, 'thirteen maps')
  close(t, scales({ controlMode: 'prompt', weight: 0.5 }, { isNegative: true }, 10), expected.slice(0, 10).map(each => each / 2), 'ten maps')
})

t.test('the ControlNet mode rises from a tenth to one, and has no say in the negative prompt', async t => {
  // torch.logspace(-1, 0, 13)
  const expected = [0.1, 0.12115276, 0.14677993, 0.17782794, 0.21544347, 0.26101571, 0.31622776, 0.38311869, 0.46415889, 0.56234133, 0.68129206, 0.82540417, 1]
  close(t, scales({ controlMode: 'controlNet' }), expected, 'thirteen maps')
  t.same(scales({ controlMode: 'controlNet' }, { isNegative: true }), new Array(13).fill(0))
})

t.test('a pooled ControlNet has no say in the negative prompt, and its maps count alike', async t => {
  t.same(scales({ weight: 0.5 }, { isNegative: true }, 3, true), [0, 0, 0])
  t.same(scales({ weight: 0.5 }, {}, 3, true), [0.5, 0.5, 0.5])
  t.same(scales({ controlMode: 'controlNet' }, {}, 3, true), [1, 1, 1])
})

t.test('outside of its window a ControlNet has no say', async t => {
  const active = (settings: Partial<ControlSettings>, evaluations = 10): number[] =>
    Array.from({ length: evaluations }, (_, evaluation) => evaluation).filter(evaluation => scales(settings, { evaluation, evaluations })[0] !== 0)
  t.same(active({}), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  t.same(active({ start: 0.3 }), [3, 4, 5, 6, 7, 8, 9])
  t.same(active({ end: 0.3 }), [0, 1, 2])
  t.same(active({ start: 0.25, end: 0.75 }), [3, 4, 5, 6])
  t.same(active({ start: 0.4, end: 0.45 }), [], 'a window that holds no whole step')
  // Step s of n to step e of n, counted from 1.
  for (const steps of [1, 3, 7, 20, 49]) {
    for (let first = 1; first <= steps; first++) {
      const expected = Array.from({ length: steps - first + 1 }, (_, i) => first - 1 + i)
      t.same(active({ start: (first - 1) / steps, end: steps / steps }, steps), expected, `from step ${first} of ${steps}`)
      t.same(active({ end: first / steps }, steps).length, first, `to step ${first} of ${steps}`)
    }
  }
})

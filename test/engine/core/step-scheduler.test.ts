import t from 'tap'
import { Generation } from '../../../engine/core/generation.ts'
import { RowCaps } from '../../../engine/core/row-caps.ts'
import { StepScheduler } from '../../../engine/core/step-scheduler.ts'
import { request } from './fake-model.ts'
import { denoiseSteps, ready, runSteps, type Step } from './planned-steps.ts'

await t.test('there is nothing to plan without generations, nor before their model is loaded', async (t) => {
  const scheduler = new StepScheduler(new RowCaps({ maxRows: 8 }))
  t.same(scheduler.plan([]), { type: 'idle' })
  t.same(scheduler.plan([new Generation(request('a'))]), { type: 'idle' })
})

await t.test('a generation is encoded, denoised for its steps and decoded', async (t) => {
  const steps = runSteps([ready('a', { totalSteps: 3 })])
  t.same(steps.map((step) => step.type), ['encodePrompt', 'denoise', 'denoise', 'denoise', 'decode'])
})

await t.test('guidance takes two rows, its absence one', async (t) => {
  const fields = { totalSteps: 1 }
  const steps = runSteps([ready('a', fields), ready('b', { ...fields, guidanceScale: 1 }), ready('c', fields)], { maxRows: 3 })
  t.same(denoiseSteps(steps).map((step) => step.ids), [['a', 'b'], ['c']])
})

await t.test('a run has no free row while a generation fits into it, and who was passed over for it is next', async (t) => {
  // What the singles cost, four rows and a decode, is what the pair costs, so they are due in the order they came.
  const single = (id: string) => ready(id, { guidanceScale: 1, totalSteps: 4, owner: `owner of ${id}` })
  const generations = [single('a'), single('b'), ready('pair', { totalSteps: 2, owner: 'owner of pair' }), single('c'), single('d')]
  const steps = denoiseSteps(runSteps(generations, { maxRows: 3 }))
  t.ok(steps[1]?.ids.includes('pair'), 'though three single rows had begun')
  for (const step of steps.slice(0, 4)) {
    const rows = step.ids.reduce((sum, id) => sum + (id === 'pair' ? 2 : 1), 0)
    t.equal(rows, 3, step.ids.join(' '))
  }
})

await t.test('an endless stream of single rows never starves a generation that needs two', async (t) => {
  const generations = [ready('s0', { guidanceScale: 1 }), ready('s1', { guidanceScale: 1 }), ready('pair', { owner: 'other' })]
  let count = 2
  const onStep = () => {
    while (generations.filter((generation) => !generation.isFinished && generation.owner === 'owner').length < 4) {
      generations.push(ready(`s${count++}`, { guidanceScale: 1, totalSteps: 1 }))
    }
  }
  const steps = denoiseSteps(runSteps(generations, { maxRows: 2, limit: 40, onStep }))
  t.equal(steps.filter((step) => step.ids.includes('pair')).length, 4)
})

await t.test('an owner with many generations leaves half of the rows to another', async (t) => {
  const generations = [
    ...Array.from({ length: 10 }, (_, i) => ready(`many-${i}`, { owner: 'many', guidanceScale: 1, totalSteps: 10 })),
    ...Array.from({ length: 2 }, (_, i) => ready(`few-${i}`, { owner: 'few', guidanceScale: 1, totalSteps: 10 })),
  ]
  for (const step of denoiseSteps(runSteps(generations, { maxRows: 4, limit: 8 }))) {
    t.equal(step.ids.filter((id) => id.startsWith('few')).length, 2)
  }
})

await t.test('a run has as many rows as its cap of latent cells lets in, the VAE by what it costs, and one picture however large', async (t) => {
  const crowd = (size: number) => Array.from({ length: 8 }, (_, i) => ready(`${i}`, { width: size, height: size, totalSteps: 1 }))
  const sizes = (type: Step['type'], size: number) => runSteps(crowd(size), { maxRows: 32, maxCells: 2048 }).filter((step) => step.type === type).map(({ ids }) => ids.length)
  t.same(sizes('denoise', 64), [8], 'sixteen rows of 64 cells')
  t.same(sizes('denoise', 128), [4, 4], 'eight rows of 256 cells')
  t.same(sizes('denoise', 256), Array(8).fill(1))
  t.same(sizes('denoise', 512), Array(8).fill(1), 'more cells than the cap')
  t.equal(Math.max(...sizes('decode', 128)), 2, 'a decode costs three rows')
  t.equal(Math.max(...sizes('decode', 512)), 1)
})

await t.test('what has begun is finished before another generation of the same owner begins', async (t) => {
  const generations = Array.from({ length: 4 }, (_, i) => ready(`${i}`, { totalSteps: 3 }))
  const steps = denoiseSteps(runSteps(generations, { maxRows: 2 }))
  t.same(steps.map((step) => step.ids.join()), ['0', '0', '0', '1', '1', '1', '2', '2', '2', '3', '3', '3'])
})

await t.test('more owners than rows take turns by generation, and the one who received least comes next', async (t) => {
  const generations = [...'abc'].flatMap((owner) => [1, 2].map((n) => ready(`${owner}${n}`, { owner, totalSteps: 2 })))
  const steps = denoiseSteps(runSteps(generations, { maxRows: 2 }))
  t.same(steps.map((step) => step.ids.join()), ['a1', 'a1', 'b1', 'b1', 'c1', 'c1', 'a2', 'a2', 'b2', 'b2', 'c2', 'c2'])
})

await t.test('batch keys share the device by cost, not by runs', async (t) => {
  const cheap = ready('cheap', { owner: 'a', totalSteps: 400 })
  const dear = ready('dear', { owner: 'b', model: 'fake:2@1', totalSteps: 400 }, 10)
  const steps = denoiseSteps(runSteps([cheap, dear], { limit: 120 }))
  const ratio = steps.filter((step) => step.ids[0] === 'cheap').length / steps.filter((step) => step.ids[0] === 'dear').length
  t.ok(ratio > 8 && ratio < 12, `${ratio} cheap steps for each dear one that costs ten`)
})

await t.test('a batch key with three owners gets three times the device of a key with one', async (t) => {
  const generations = [
    ...[...'abc'].map((owner) => ready(owner, { owner, totalSteps: 500 })),
    ready('alone', { owner: 'd', model: 'fake:2@1', totalSteps: 500 }),
  ]
  const steps = denoiseSteps(runSteps(generations, { limit: 100 }))
  const alone = steps.filter((step) => step.ids.includes('alone')).length
  t.ok(alone >= 45 && alone <= 55, `three rows of three owners cost what three shares give, so runs alternate: ${alone}`)
})

await t.test('a batch key that comes late starts level and does not catch up for its absence', async (t) => {
  const generations = [ready('early', { owner: 'a', totalSteps: 300 })]
  const steps = denoiseSteps(runSteps(generations, {
    limit: 140,
    onStep: (step) => {
      if (step === 100) generations.push(ready('late', { owner: 'b', model: 'fake:2@1', totalSteps: 300 }))
    },
  }))
  const early = steps.slice(100).filter((step) => step.ids[0] === 'early').length
  t.ok(early >= 15, `the early one still got ${early} of the last 39`)
})

await t.test('encoding and decoding let generations join and leave, but never run twice while a denoise run waits', async (t) => {
  const generations = [ready('long', { totalSteps: 60, owner: 'long' })]
  let count = 0
  const steps = runSteps(generations, {
    limit: 100,
    onStep: () => void generations.push(ready(`short-${count++}`, { totalSteps: 1, owner: `owner-${count % 5}` })),
  })
  const withoutDenoise = steps.slice(1).filter((step, i) => step.type !== 'denoise' && step.type === steps[i]?.type)
  t.same(withoutDenoise, [])
  t.ok(denoiseSteps(steps).length >= 30, 'a third of the steps denoise')
})

await t.test('decoding is batched by size up to a cap, the longest wait first', async (t) => {
  const generations = Array.from({ length: 5 }, (_, i) => ready(`${i}`, { totalSteps: 1, width: 512, height: 512, guidanceScale: 1 }))
  const steps = runSteps(generations)
  t.same(steps.filter((step) => step.type === 'decode').map((step) => step.ids), [['0', '1'], ['2', '3'], ['4']])
})

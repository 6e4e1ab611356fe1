import t from 'tap'
import { sumProfile } from '../../bench/engine/sum-profile.ts'

const run = (ts: number) => ({ cat: 'Session', name: 'model_run', ts, dur: 900 })
const node = (name: string, op: string, ts: number, dur: number) => ({ cat: 'Node', name: `${name}_kernel_time`, ts, dur, args: { op_name: op } })

t.test('operators and parts are added up over the last runs, ms a run, the largest first', async t => {
  const events = [
    run(0), node('down_blocks.0/Conv_1', 'Conv', 1, 99_000),
    run(1000), node('down_blocks.0/Conv_1', 'Conv', 1001, 2000), node('up_blocks.1/attn/Gemm_2', 'Gemm', 1002, 3000), node('fused', 'Mul', 1003, 500),
    run(2000), node('down_blocks.0/Conv_1', 'Conv', 2001, 4000), node('up_blocks.1/attn/Gemm_2', 'Gemm', 2002, 5000), node('up_blocks.1/Conv_3', 'Conv', 2003, 1500),
    { cat: 'Node', name: 'down_blocks.0/Conv_1_fence_before', ts: 2004, dur: 7000 },
  ]
  const { nodesMs, operators, parts } = sumProfile(JSON.stringify(events), 2)
  t.equal(nodesMs, 8)
  t.same([...operators], [['Gemm', 4], ['Conv', 3.75], ['Mul', 0.25]])
  t.same([...parts], [['up_blocks.1', 4.75], ['down_blocks.0', 3], ['outside of blocks', 0.25]])
})

t.test('a profile with too few runs is refused', async t => {
  t.throws(() => sumProfile(JSON.stringify([run(0)]), 2), RangeError)
})

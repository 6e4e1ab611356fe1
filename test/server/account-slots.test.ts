import t from 'tap'
import { AccountSlots } from '../../server/account-slots.ts'

/** Jobs that run until they are told to end, by account. */
function makeJobs(count: number) {
  const slots = new AccountSlots(count)
  const running: { readonly account: string; readonly end: () => void }[] = []
  const start = (account: string) => {
    void slots.use(account, () => new Promise<void>(resolve => { running.push({ account, end: resolve }) }))
  }
  const accounts = () => running.map(({ account }) => account)
  const end = async (account: string) => {
    const [job] = running.splice(running.findIndex(job => job.account === account), 1)
    job?.end()
    await turn()
  }
  return { slots, start, end, accounts }
}

/** Lets everything happen that is due. */
async function turn(): Promise<void> {
  await new Promise(resolve => setImmediate(resolve))
}

t.test('one account cannot have all places, and who has fewer gets the next one', async t => {
  const { start, end, accounts } = makeJobs(4)
  for (let i = 0; i < 10; i++) start('many')
  await turn()
  t.strictSame(accounts(), ['many', 'many', 'many'])
  start('few')
  await turn()
  t.strictSame(accounts(), ['many', 'many', 'many', 'few'], 'there is a place for whoever comes')
  start('few')
  start('other')
  await end('many')
  t.strictSame(accounts(), ['many', 'many', 'few', 'other'], 'ten others were there before')
  await end('many')
  t.strictSame(accounts(), ['many', 'few', 'other', 'many'], 'of equals the one that got its last place longest ago')
  await end('many')
  t.strictSame(accounts(), ['few', 'other', 'many', 'few'])
})

t.test('places that are not wanted by others are given to whoever wants them, and a job that fails gives its place back', async t => {
  const { slots, start, end, accounts } = makeJobs(2)
  for (let i = 0; i < 3; i++) {
    await t.rejects(slots.use('a', async () => { throw new Error('failed') }), { message: 'failed' })
  }
  for (let i = 0; i < 3; i++) start('a')
  await turn()
  t.equal(accounts().length, 1)
  for (let i = 0; i < 3; i++) {
    t.strictSame(accounts(), ['a'])
    await end('a')
  }
  t.strictSame(accounts(), [])
  const one = makeJobs(1)
  one.start('a')
  await turn()
  t.strictSame(one.accounts(), ['a'], 'a single place is everybody\'s')
})

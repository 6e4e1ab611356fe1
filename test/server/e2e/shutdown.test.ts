import { existsSync } from 'node:fs'
import t from 'tap'
import { childrenOf, Client, makeTask, serveReady, untilReadiness } from '../../helpers/served.ts'

/** So many steps that a task is surely still running when the next message arrives. */
const longSteps = 60

t.test('a server that is told to end finishes what runs, takes nothing new, closes with 1012 and exits with 0', async t => {
  const served = await serveReady(t)
  const client = await Client.open(t, served.port)
  const [running, late] = [makeTask({ steps: longSteps }), makeTask()]
  client.send(running)
  client.send({ taskType: 'ping', ping: true })
  await client.until(() => client.data.some(({ pong }) => pong === true))
  served.kill('SIGTERM')
  await untilReadiness(served.port, 503)
  client.send(late)
  t.match(await client.error(late.taskUUID), { code: 'serviceUnavailable' })
  t.equal((await client.results(running.taskUUID)).length, 1)
  t.equal(await client.closed, 1012)
  t.strictSame(await served.exit, { code: 0, signal: null })
})

t.test('a second signal ends a server that would wait, and its tasks with an error', async t => {
  const served = await serveReady(t)
  const client = await Client.open(t, served.port)
  const endless = makeTask({ steps: 100, numberResults: 20, width: 512, height: 512 })
  client.send(endless)
  client.send({ taskType: 'ping', ping: true })
  await client.until(() => client.data.some(({ pong }) => pong === true))
  served.kill('SIGTERM')
  await untilReadiness(served.port, 503)
  served.kill('SIGINT')
  t.match(await client.error(endless.taskUUID), { code: 'serviceUnavailable' })
  t.equal(await client.closed, 1012)
  t.strictSame(await served.exit, { code: 0, signal: null })
})

t.test('what nobody caught ends a server in order: its tasks get an error, its clients are to come back, and it exits with 1', async t => {
  const trap = 'process.on("SIGUSR2",()=>{void Promise.reject(new TypeError("nobody catches this"))})'
  const served = await serveReady(t, [], ['--import', `data:text/javascript,${encodeURIComponent(trap)}`])
  const [worker] = childrenOf(served.pid)
  const client = await Client.open(t, served.port)
  const endless = makeTask({ steps: 100, numberResults: 20, width: 512, height: 512 })
  client.send(endless)
  client.send({ taskType: 'ping', ping: true })
  await client.until(() => client.data.some(({ pong }) => pong === true))
  served.kill('SIGUSR2')
  t.match(await client.error(endless.taskUUID), { code: 'serviceUnavailable' })
  t.equal(await client.closed, 1012)
  t.strictSame(await served.exit, { code: 1, signal: null })
  t.match(served.output(), /"event":"uncaught".*nobody catches this.*"stack"|"event":"uncaught"/)
  t.match(served.output(), /latentd: stopped because of a defect/)
  t.notOk(existsSync(`/proc/${worker}/exe`))
})

t.test('a worker does not outlive a server that was killed', { skip: process.platform !== 'linux' && 'reads /proc' }, async t => {
  const served = await serveReady(t)
  const [worker] = childrenOf(served.pid)
  served.kill('SIGKILL')
  await served.exit
  while (existsSync(`/proc/${worker}/exe`)) await new Promise(resolve => setTimeout(resolve, 20))
  t.pass('it is gone')
})

import { startWorker } from '../../../server/worker-app.ts'
import { ownProcess } from '../../../server/worker/own-process.ts'
import { FakeEngine, fakeEncode } from './fake-engine.ts'

// A worker process as the server forks it, with an engine that does what its prompts say.
await ownProcess(channel => startWorker(channel, {
  createEngine: async ({ onRun }) => new FakeEngine(onRun ? { onRun } : {}),
  encodeImage: fakeEncode,
}))

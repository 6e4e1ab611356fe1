import t from 'tap'
import { EngineError } from '../../../engine/index.ts'
import { toErrorBody } from '../../../server/worker/error-mapping.ts'

const task = { taskType: 'imageInference', taskUUID: 'a770f077-f413-47de-9dac-be0b26a35da6' } as const

t.test('a parameter that the engine refuses is named as the client named it, in the field and in the sentence', async t => {
  const parameters = { prompt: 'positivePrompt', totalSteps: 'steps', noiseScheduler: 'scheduler', guidanceScale: 'CFGScale', clipSkip: 'clipSkip' }
  for (const [parameter, wire] of Object.entries(parameters)) {
    const body = toErrorBody(new EngineError('invalidParameter', `${parameter}: expected something else`, { parameter }), task)
    t.match(body, { ...task, parameter: wire, message: `${wire}: expected something else.` }, parameter)
  }
})

t.test('a field inside a list is named with its place', async t => {
  const body = toErrorBody(new EngineError('invalidParameter', 'controlNets[1].model: it is gone', { parameter: 'controlNets[1].model' }), task)
  t.match(body, { ...task, code: 'invalidControlNet', parameter: 'controlNet[1].model', message: 'controlNet[1].model: it is gone.' })
  t.match(toErrorBody(new EngineError('invalidParameter', 'strangers[0].model: no', { parameter: 'strangers[0].model' }), task), { code: 'inferenceError' })
})

t.test('a sentence of the engine without the name stays as it is', async t => {
  const body = toErrorBody(new EngineError('invalidParameter', 'too many steps', { parameter: 'totalSteps' }), task)
  t.match(body, { code: 'invalidSteps', parameter: 'steps', message: 'too many steps.' })
})

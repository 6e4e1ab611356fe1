import t from 'tap'
import { MemoryQueue } from '../../../server/queue/memory-queue.ts'
import { TaskDesk } from '../../../server/tasks/task-desk.ts'
import type { TaskDeskOptions } from '../../../server/tasks/task-desk.ts'
import { testQueueOptions } from '../helpers/started-gateway.ts'
import { makeTask, resultOf } from '../queue/task-fixture.ts'

t.test('a defect in what a session makes of a result reaches neither the worker that commits nor those who hear after', async t => {
  const queue = new MemoryQueue({ ...testQueueOptions, now: () => 0 })
  const defects: unknown[] = []
  const error = new TypeError('There is a defect in the session')
  const options: Pick<TaskDeskOptions, 'queue' | 'findSession' | 'onDefect'> = {
    queue,
    findSession: () => { throw error },
    onDefect: (cause, { taskUUID }) => void defects.push([cause, taskUUID]),
  }
  // The parts that plan tasks and read pictures have no say in what happens to a task.
  const desk = new TaskDesk(options as TaskDeskOptions)
  desk.start()
  const heard: string[] = []
  queue.subscribe(({ type }) => void heard.push(type))
  const task = makeTask({ sessionUUID: 'a-session' })
  await queue.submit(task)
  const [lease] = await queue.claim('w', 1, new AbortController().signal)
  if (!lease) throw new Error('nothing was claimed')
  t.equal(await queue.commit(lease, resultOf(task)), 'committed')
  await queue.settle(lease)
  t.strictSame(heard, ['result', 'ended'])
  t.strictSame(defects, [[error, task.taskUUID], [error, task.taskUUID]])
})

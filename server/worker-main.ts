import { startWorker } from './worker-app.ts'
import { ownProcess } from './worker/own-process.ts'

// The script that the gateway forks for each device.
await ownProcess(startWorker)

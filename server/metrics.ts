import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { CounterConfiguration } from 'prom-client'

/** Every metric of the server; names and labels are declared here and nowhere else. Labels never hold ids. */
export type Metrics = ReturnType<typeof createMetrics>

/** Makes a set of metrics of its own, so that two servers in one process do not share any. */
export function createMetrics() {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  return {
    /** The text of `/metrics`. */
    render: () => registry.metrics(),
    contentType: registry.contentType,

    connections: new Gauge({ registers, name: 'latentd_gateway_connections', help: 'Open connections: WebSockets before and after authentication, and those that speak HTTP', labelNames: ['state'] }),
    closes: new Counter({ registers, name: 'latentd_gateway_closes_total', help: 'WebSocket connections closed, by close code', labelNames: ['code'] }),
    upgradesRefused: new Counter({ registers, name: 'latentd_gateway_upgrades_refused_total', help: 'WebSocket upgrades refused, by HTTP status', labelNames: ['status'] }),
    socketsRefused: new Counter({ registers, name: 'latentd_gateway_sockets_refused_total', help: 'Connections refused because there were too many, in all or from their address' }),
    framesReceived: createTally({ registers, name: 'latentd_gateway_frames_received_total', help: 'WebSocket messages received' }),
    framesSent: createTally({ registers, name: 'latentd_gateway_frames_sent_total', help: 'WebSocket messages sent' }),
    authentications: new Counter({ registers, name: 'latentd_gateway_authentications_total', help: 'Authentications, by outcome', labelNames: ['outcome'] }),
    requests: new Counter({ registers, name: 'latentd_gateway_http_requests_total', help: 'HTTP requests, by route and status', labelNames: ['route', 'status'] }),

    sessions: new Gauge({ registers, name: 'latentd_sessions_live', help: 'Sessions, attached to a socket or waiting for one', labelNames: ['state'] }),
    outboxItems: new Gauge({ registers, name: 'latentd_sessions_outbox_items', help: 'Results and errors owed to clients or reserved for them' }),
    sessionsExpired: new Counter({ registers, name: 'latentd_sessions_expired_total', help: 'Sessions whose client did not come back while tasks of theirs ran' }),

    taskErrors: new Counter({ registers, name: 'latentd_tasks_refused_total', help: 'Tasks refused before they were queued, by error code', labelNames: ['code'] }),
    tasksEnded: new Counter({ registers, name: 'latentd_tasks_ended_total', help: 'Accepted tasks that ended, by status', labelNames: ['status'] }),
    taskDuration: new Histogram({
      registers, name: 'latentd_tasks_duration_seconds', help: 'From acceptance to the end of a task', labelNames: ['status'],
      buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300],
    }),
    tasksWaiting: new Gauge({ registers, name: 'latentd_queue_waiting_tasks', help: 'Tasks no worker has' }),
    tasksUnfinished: new Gauge({ registers, name: 'latentd_queue_unfinished_tasks', help: 'Tasks that have not ended' }),

    workers: new Gauge({ registers, name: 'latentd_worker_processes', help: 'Workers, by state', labelNames: ['state'] }),
    workerRestarts: new Gauge({ registers, name: 'latentd_worker_restarts', help: 'Restarts of workers that had been ready' }),
    runRows: new Histogram({
      registers, name: 'latentd_engine_run_rows', help: 'Rows of one run of a network', labelNames: ['stage'],
      buckets: [1, 2, 4, 8, 16, 32, 64, 128],
    }),
    runDuration: new Histogram({
      registers, name: 'latentd_engine_run_duration_seconds', help: 'Duration of one run of a network', labelNames: ['stage'],
      buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30],
    }),
  }
}

/** A counter for what happens with every message: prom-client is told of it only when somebody reads. */
function createTally(configuration: Pick<CounterConfiguration<never>, 'registers' | 'name' | 'help'>) {
  let count = 0
  new Counter({
    ...configuration,
    collect() {
      this.reset()
      this.inc(count)
    },
  })
  return { inc: () => { count++ } }
}

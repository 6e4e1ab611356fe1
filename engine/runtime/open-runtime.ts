import type OnnxRuntime from 'onnxruntime-node'
import type { InferenceSession } from 'onnxruntime-node'
import type { ModelGraph } from '../graph/model-graph.ts'
import type { Device, ModelSession, Runtime } from './model-session.ts'
import { OnnxSession } from './onnx-session.ts'
import { startPlacementCheck } from './placement-check.ts'
import { withRowBuckets } from './row-buckets.ts'
import { RuntimeError } from './runtime-error.ts'

export interface RuntimeOptions {
  /** Threads of one operator on the processor. */
  readonly threads: number
  /** Numbers of rows that runs are rounded up to. @default any number */
  readonly rowBuckets?: readonly number[]
}

type Onnx = typeof OnnxRuntime

/** Loads the runtime and gives the opener of graphs on `device`. Rejects with a RuntimeError when the library cannot be loaded. */
export async function openRuntime(device: Device, options: RuntimeOptions): Promise<Runtime> {
  if (!Number.isSafeInteger(options.threads) || options.threads < 1) {
    throw new RuntimeError(`threads must be a positive whole number, not ${options.threads}`)
  }
  const onnx = await loadOnnx()
  return { device, open: graph => openGraph(onnx, graph, device, options) }
}

async function loadOnnx(): Promise<Onnx> {
  // The published library reports models and runs to its maker and keeps an identifier on the disk, unless this is set
  // before it is loaded. What is served here is nobody else's business.
  process.env['ORT_DISABLE_TELEMETRY'] = '1'
  const module = await import('onnxruntime-node').catch((cause: Error) => {
    throw new RuntimeError(`the runtime onnxruntime-node cannot be loaded: ${cause.message}`, { cause })
  })
  const onnx = module.default
  // Before the first session, or it has no effect.
  onnx.env.logLevel = 'error'
  return onnx
}

async function openGraph(onnx: Onnx, graph: ModelGraph, device: Device, { threads, rowBuckets = [] }: RuntimeOptions): Promise<ModelSession> {
  const check = device.type === 'cuda' ? await startPlacementCheck(graph.name) : undefined
  let session: InferenceSession
  try {
    session = await onnx.InferenceSession.create(graph.encode(), {
      executionProviders: [device.type === 'cuda' ? { name: 'cuda', deviceId: device.index } : { name: 'cpu' }],
      graphOptimizationLevel: 'all',
      executionMode: 'sequential',
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      // On the processor a plan of each shape's memory saves no time, and it is a block of its own for each shape beside what the first run took.
      enableMemPattern: device.type === 'cuda',
      logSeverityLevel: 3,
      extra: {
        session: {
          model_external_initializers_file_folder_path: graph.weightsFolder,
          // Threads that spin between operators would take the processor from the server itself.
          intra_op: { allow_spinning: '0' },
        },
      },
      ...check?.sessionOptions,
    })
  } catch (cause) {
    await check?.cancel()
    throw new RuntimeError(`${graph.name} cannot be opened on ${describe(device)}: ${(cause as Error).message}`, { cause })
  }
  const opened = new OnnxSession({
    name: graph.name, inputs: graph.inputs, outputs: graph.outputs, session, Tensor: onnx.Tensor,
    ...(check && { afterFirstRun: () => check.finish(session) }),
  })
  return rowBuckets.length === 0 ? opened : withRowBuckets(opened, rowBuckets)
}

function describe(device: Device): string {
  return device.type === 'cpu' ? 'the CPU' : `CUDA device ${device.index}`
}

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os'
import { join } from 'node:path'
import { packageRoot, packageVersion } from '../../server/cli/package-root.ts'

/** Where and with what figures were made. */
export interface MachineFacts {
  readonly commit: string
  readonly machine: {
    readonly cpu: string
    readonly cores: number
    readonly memoryGiB: number
    readonly system: string
    /** Name, memory and driver of each CUDA device, where the driver's tool tells. */
    readonly gpus: readonly string[]
    /** Processes that wanted a core when the run began: figures of a machine that was busy with something else say little. */
    readonly loadAtStart: number
  }
  readonly versions: { readonly latentd: string; readonly node: string; readonly onnxruntime: string }
}

/** Looks at the machine and the checkout. */
export function machineFacts(): MachineFacts {
  return {
    commit: commit(),
    machine: {
      cpu: cpus()[0]?.model ?? 'unknown',
      cores: availableParallelism(),
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      system: `${type()} ${release()}`,
      gpus: gpus(),
      loadAtStart: Number((loadavg()[0] ?? 0).toFixed(2)),
    },
    versions: { latentd: packageVersion(), node: process.version, onnxruntime: versionIn('node_modules/onnxruntime-node/package.json') },
  }
}

function commit(): string {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: packageRoot(), encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  try {
    return git('rev-parse', '--short=12', 'HEAD') + (git('status', '--porcelain', '--untracked-files=no') === '' ? '' : ' with changes')
  } catch {
    return 'unknown'
  }
}

function gpus(): readonly string[] {
  try {
    return execFileSync('nvidia-smi', ['--query-gpu=name,memory.total,driver_version', '--format=csv,noheader'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim().split('\n')
  } catch {
    return []
  }
}

function versionIn(path: string): string {
  const { version } = JSON.parse(readFileSync(join(packageRoot(), path), 'utf8')) as { readonly version: string }
  return version
}

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** The interpreter of the bundled model's tools: what LATENTD_TRAINING_PYTHON names, else python3 on the path. */
const python = process.env['LATENTD_TRAINING_PYTHON'] ?? 'python3'

/** Returns the interpreter, or the reason why the tools cannot run here. */
export async function trainingPython(): Promise<{ python: string } | { missing: string }> {
  try {
    await run(python, ['-c', 'import torch, diffusers, transformers, peft'], { timeout: 120_000 })
    return { python }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.trim().split('\n').at(-1) : String(cause)
    return { missing: `${python} has no PyTorch, diffusers, transformers and peft (${reason}); LATENTD_TRAINING_PYTHON may name one that has` }
  }
}

/** Runs a script to its end and returns what it printed. */
export async function runPython(python: string, args: readonly string[], timeout: number): Promise<string> {
  const { stdout } = await run(python, [...args], { timeout, maxBuffer: 1 << 24 })
  return stdout
}

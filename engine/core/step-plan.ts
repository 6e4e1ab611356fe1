import type { Generation } from './generation.ts'

/** What the next step runs: the step scheduler's whole decision, and all that the executor gets. */
export type StepPlan =
  /** Nothing can run now. */
  | { readonly type: 'idle' }
  /** Encode the pictures of these generations, which share a batch key. */
  | { readonly type: 'encodeImage'; readonly batchKey: string; readonly generations: readonly Generation[]; readonly maxRows: number }
  /** Encode the prompts of these generations, all of one model, and prepare their latents. */
  | { readonly type: 'encodePrompt'; readonly batchKey: string; readonly generations: readonly Generation[]; readonly maxRows: number }
  /** Take each of these generations one step on; they share a batch key. */
  | { readonly type: 'denoise'; readonly batchKey: string; readonly generations: readonly Generation[]; readonly maxRows: number }
  /** Decode the latents of these generations, which share a batch key. */
  | { readonly type: 'decode'; readonly batchKey: string; readonly generations: readonly Generation[]; readonly maxRows: number }
  /** Judge the pictures of these generations, all by one safety checker. */
  | { readonly type: 'checkContent'; readonly batchKey: string; readonly generations: readonly Generation[]; readonly maxRows: number }

/** A plan that runs something. */
export type WorkPlan = Exclude<StepPlan, { readonly type: 'idle' }>

import type { ModelGraph } from '../graph/model-graph.ts'

/** Whether a UNet, or something in its graph, makes keys and values of the prompts' states in each of its runs. */
export function takesStates({ inputs }: ModelGraph): boolean {
  return inputs.some(({ name }) => name === 'encoder_hidden_states')
}

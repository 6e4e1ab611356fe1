import type { LoraLayer } from '../graph/lora-inputs.ts'
import type { LoraComponent, LoraModule } from '../weights/lora-modules.ts'
import { quoteName } from '../weights/quote-name.ts'
import type { LoadedLora, LoadedModel, LoraFactors, LoraInputs, NetworkLora } from './loaded-model.ts'
import { openLora } from './lora-layers.ts'
import { matchLora } from './lora-targets.ts'
import { ModelError } from './model-error.ts'
import type { ModelSpec } from './model-spec.ts'
import { loraBytes, readLora } from './read-lora.ts'
import type { OpenModel } from './weights-budget.ts'

/**
 * Reads a LoRA for a checkpoint into memory. Throws a ModelError or WeightError that names the first key that does not
 * belong to a layer of the checkpoint, or that cannot be used.
 * @param makeRoom awaited before the weights are read, with the bytes that they will hold
 */
export async function loadLora(
  spec: ModelSpec,
  base: LoadedModel,
  makeRoom: (bytes: number) => Promise<void>,
): Promise<OpenModel<LoadedLora>> {
  const modules = await openLora(spec.path)
  const layers = matchLora(modules, base.loraTargets)
  checkInputs(modules, layers, base)
  const byteLength = loraBytes(modules)
  await makeRoom(byteLength)
  const factors = await readLora(modules)
  const networkLora = (component: LoraComponent): NetworkLora => {
    const own = layers.flatMap(({ name }, index) => {
      return modules[index]?.component === component ? [[name, factors[index] as LoraFactors] as const] : []
    })
    return { layers: new Map(own), rank: own.reduce((largest, [, { rank }]) => Math.max(largest, rank), 0) }
  }
  const model = { unet: networkLora('unet'), textEncoders: base.textEncoders.map(({ component }) => networkLora(component)) }
  return { spec, byteLength, model, release: () => Promise.resolve() }
}

/** The graphs got their inputs when the checkpoint was loaded; a file that was replaced since may name other layers. */
function checkInputs(modules: readonly LoraModule[], layers: readonly LoraLayer[], { loraInputs, promptProjection, textEncoders }: LoadedModel): void {
  const present = new Set<string>()
  const note = (component: LoraComponent, inputs: readonly LoraInputs[]): void => inputs.forEach(({ name }) => present.add(`${component} ${name}`))
  note('unet', [...loraInputs, ...(promptProjection?.loraInputs ?? [])])
  for (const encoder of textEncoders) note(encoder.component, encoder.loraInputs)
  modules.forEach(({ component, key }, index) => {
    if (present.has(`${component} ${layers[index]?.name}`)) return
    throw new ModelError(`its key ${quoteName(key)} was not there when the server looked through its models; start it again`)
  })
}

import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { controlNetShapes, networkShapes } from './network-shapes.ts'
import type { ComponentConfig, Shapes } from './network-shapes.ts'
import { writeRandomWeights } from './random-weights.ts'

/** Layers that most LoRAs add to: the projections of the UNet's attention. */
const layers = /^(.*\.attn[12]\.to_(?:q|k|v|out\.0))\.weight$/

/** How a ControlNet reads its guide image, as published ones do; the rest is as in its UNet. */
const controlNetOnly = { _class_name: 'ControlNetModel', conditioning_channels: 3, conditioning_embedding_out_channels: [16, 32, 96, 256] }

/** Makes parts of random weights for a diffusers folder's checkpoint: LoRAs with peft's names, `lora-1.safetensors` and so on, and the folder of a ControlNet, `control`. */
export async function makeParts(folder: string, checkpoint: string, count: number, rank: number): Promise<void> {
  const part = `${folder}.part`
  await rm(part, { recursive: true, force: true })
  await mkdir(join(part, 'control'), { recursive: true })
  const config = async (component: string) => JSON.parse(await readFile(join(checkpoint, component, 'config.json'), 'utf8')) as ComponentConfig
  const unetConfig = await config('unet')
  const { unet } = networkShapes({ text_encoder: await config('text_encoder'), unet: unetConfig, vae: await config('vae') })
  const shapes = loraShapes(unet, rank)
  for (let number = 1; number <= count; number++) await writeRandomWeights(join(part, `lora-${number}.safetensors`), shapes, 'fp32')
  const controlConfig = { ...unetConfig, ...controlNetOnly }
  await writeFile(join(part, 'control/config.json'), JSON.stringify(controlConfig, undefined, 2))
  await writeRandomWeights(join(part, 'control/diffusion_pytorch_model.safetensors'), controlNetShapes(controlConfig), 'fp32')
  await rename(part, folder)
}

function loraShapes(network: Shapes, rank: number): Shapes {
  const shapes = new Map<string, readonly number[]>()
  for (const [name, [outputs = 0, inputs = 0]] of network) {
    const layer = layers.exec(name)?.[1]
    if (layer === undefined) continue
    shapes.set(`unet.${layer}.lora_A.weight`, [rank, inputs])
    shapes.set(`unet.${layer}.lora_B.weight`, [outputs, rank])
  }
  return shapes
}

import { mkdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { networkShapes } from './network-shapes.ts'
import type { ComponentConfig, Shapes } from './network-shapes.ts'
import { writeRandomWeights } from './random-weights.ts'

/** Layers that most LoRAs add to: the projections of the UNet's attention. */
const layers = /^(.*\.attn[12]\.to_(?:q|k|v|out\.0))\.weight$/

/** Makes LoRAs of random weights for a diffusers folder's checkpoint, `lora-1.safetensors` and so on, with peft's names. */
export async function makeLoras(folder: string, checkpoint: string, count: number, rank: number): Promise<void> {
  const part = `${folder}.part`
  await rm(part, { recursive: true, force: true })
  await mkdir(part, { recursive: true })
  const config = async (component: string) => JSON.parse(await readFile(join(checkpoint, component, 'config.json'), 'utf8')) as ComponentConfig
  const { unet } = networkShapes({ text_encoder: await config('text_encoder'), unet: await config('unet'), vae: await config('vae') })
  const shapes = loraShapes(unet, rank)
  for (let number = 1; number <= count; number++) await writeRandomWeights(join(part, `lora-${number}.safetensors`), shapes, 'fp32')
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

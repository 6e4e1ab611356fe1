// What the server may use of the engine. Importing it must stay cheap: the gateway imports it too, so the runtime
// (onnxruntime-node) and sharp are loaded by createEngine and encodeImage at first use, never here.
import type { RgbImage } from './core/generation-request.ts'
import type { Engine, EngineOptions } from './engine.ts'
import type { ImageFormat } from './images/image-format.ts'
import type { ModelRegistry } from './models/model-spec.ts'
import { openRegistry as readRegistry } from './models/registry.ts'
import { resolveNoiseScheduler } from './schedulers/names.ts'

export type {
  ControlMode, ControlNetUse, EmbeddingUse, EncodedImage, GeneratedImage, GenerationRequest, IpAdapterUse, LoraUse, RefinerUse, RgbImage,
} from './core/generation-request.ts'
export { listImages, mapImages } from './core/map-images.ts'
export type { WithImages } from './core/map-images.ts'
export type { Engine, EngineOptions, RunReport } from './engine.ts'
export { EngineError, EngineErrorCode } from './engine-error.ts'
export type { ModelPrecision } from './architectures/integer-layers.ts'
export { ImageFormat } from './images/image-format.ts'
export { sniffFormat } from './images/sniff-format.ts'
export type { BrokenModel, ModelDefaults, ModelFamily, ModelRegistry, ModelSpec } from './models/model-spec.ts'
export { canRefine } from './models/can-refine.ts'
export { fixedRegistry } from './models/fixed-registry.ts'
export { ModelError } from './models/model-error.ts'
export { ModelType } from './models/model-spec.ts'
export type { CudaDevice, CudaReport, DeviceReport, LibraryFinding } from './runtime/device-report.ts'
export { DeviceSpecError, formatDevice, parseDeviceSpec } from './runtime/device-spec.ts'
export type { DeviceSpec } from './runtime/device-spec.ts'
export type { Device } from './runtime/model-session.ts'
export { probeDevices } from './runtime/probe-devices.ts'
export { DeviceUnusableError, resolveDevices } from './runtime/resolve-devices.ts'
export type { DeviceChoice } from './runtime/resolve-devices.ts'
export { createNoiseSchedulerCheck } from './pipelines/start-noise-scheduler.ts'
export type { NoiseSchedulerCheck } from './pipelines/start-noise-scheduler.ts'
export { noiseSchedulerNames, resolveNoiseScheduler } from './schedulers/names.ts'

/**
 * Looks through models folders, diffusers folders and `.safetensors` files; what cannot be used is listed with the reason.
 * Throws a ModelError when there is nothing at one of the places.
 */
export function openRegistry(places: readonly string[]): Promise<ModelRegistry> {
  return readRegistry(places, name => resolveNoiseScheduler(name) !== undefined)
}

/** Opens an engine on one device; the caller stops it. Models are loaded at their first use or by `warmUp`. */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  const module = await import('./create-engine.ts')
  return module.createEngine(options)
}

/**
 * Encodes a picture without metadata.
 * @param quality 1 to 100; PNG is lossless and takes no notice of it.
 * @throws RangeError when the quality is out of range or the picture's bytes do not match its size.
 */
export async function encodeImage(image: RgbImage, format: ImageFormat, quality: number): Promise<Uint8Array> {
  const module = await import('./images/encode-image.ts')
  return module.encodeImage(image, format, quality)
}

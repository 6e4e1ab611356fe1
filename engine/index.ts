// What the server may use of the engine. Importing it must stay cheap: the gateway imports it too, so the runtime
// (onnxruntime-node) and sharp are loaded by createEngine and encodeImage at first use, never here.
export type { GenerationRequest, RgbImage } from './core/generation-request.ts'
export type { Engine, EngineOptions, RunReport } from './engine.ts'
export type { BrokenModel, ModelDefaults, ModelFamily, ModelRegistry, ModelSpec } from './models/model-spec.ts'
export { ModelType } from './models/model-spec.ts'
export type { Device } from './runtime/model-session.ts'

import type { LoraInputs } from '../graph/lora-inputs.ts'
import type { ModelSession } from '../runtime/model-session.ts'
import type { NoiseScheduleConfig } from '../schedulers/noise-scheduler.ts'
import type { TextEncoderComponent } from '../weights/component-names.ts'
import type { LoraTargets } from './lora-targets.ts'
import type { ModelSpec } from './model-spec.ts'

export type { LoraInputs } from '../graph/lora-inputs.ts'

/** What the text encoder's tokenizer folder says; the prompts folder turns it into a tokenizer. */
export interface TokenizerFiles {
  /** Token → id. */
  readonly vocabulary: Readonly<Record<string, number>>
  /** The largest id of the vocabulary. */
  readonly highestId: number
  /** BPE merges in order, each `left right`. */
  readonly merges: readonly string[]
  readonly padToken: string
  readonly modelMaxLength: number
}

/** A text encoder that is open on a device, and the tokenizer of its prompts. */
export interface LoadedTextEncoder {
  readonly component: TextEncoderComponent
  readonly tokenizer: TokenizerFiles
  /** Width of its states. */
  readonly width: number
  /**
   * `input_ids` int64 [rows, 77], `attention_bias` float32 [rows, 1, 1, 77] (0, or a large negative number for tokens that no
   * other may look at), `vector_ids` int64 [rows, 77] (0, or the index of what stands in a token's place) and `vectors`
   * float32 [vectors, width], of which the first is never used → `hidden_states_0`, `_1`, `_2` float32 [rows, 77, width]:
   * the states the UNet takes with 0, 1 or 2 layers skipped on top of the model's own choice.
   * A model of fewer layers lacks the higher outputs.
   * SDXL's second one also → `text_embeds` float32 [rows, added.textEmbedsSize].
   */
  readonly session: ModelSession
  /** Inputs of the layers that LoRAs can add to. */
  readonly loraInputs: readonly LoraInputs[]
}

/** What a UNet is told besides the timestep and the prompt's states, one vector of each a row (SDXL). */
export interface AddedInputs {
  /** Numbers of `text_embeds`, the last text encoder's vector of the whole text. */
  readonly textEmbedsSize: number
  /** What `time_ids` holds: six sizes; or four and an aesthetic score, as the refiner was trained with. */
  readonly timeIds: 'sizes' | 'sizesAndScore'
}

/** A VAE that is open on a device. */
export interface LoadedVae {
  readonly latentChannels: number
  /** Pixels a latent cell stands for along one side. */
  readonly latentFactor: number
  /** Latents are (what the VAE's encoder gives − shift) · scaling; both are in the graph. */
  readonly scalingFactor: number
  readonly shiftFactor: number
  /**
   * `pixels` float32 [rows, 3, h·factor, w·factor], -1 to 1 → `mean`, `deviation` float32 [rows, channels, h, w] of the
   * normal distribution of its latents, as the UNet takes them.
   */
  readonly encoder: ModelSession
  /**
   * `latents` float32 [rows, channels, h, w], as the UNet leaves them
   * → `image` uint8 [rows, h·factor, w·factor, 3], `image_check` float32 [rows] (not a number for a row that is no picture).
   */
  readonly decoder: ModelSession
}

/** What a UNet's attentions make of a prompt once for all steps, open on a device. */
export interface LoadedPromptProjection {
  /** `encoder_hidden_states` float32 [rows, tokens, contextSize] → each of `tensors` float32 [rows, heads, tokens, width]. */
  readonly session: ModelSession
  /** Keys and values of the UNet's attentions, named as its inputs are; `width` is that of a head. */
  readonly tensors: readonly { readonly name: string; readonly heads: number; readonly width: number }[]
  /** Inputs of the layers that LoRAs can add to. */
  readonly loraInputs: readonly LoraInputs[]
}

/** A checkpoint whose components are open on a device. */
export interface LoadedModel {
  readonly spec: ModelSpec
  /** At least one; the UNet's context has their states side by side, in this order. */
  readonly textEncoders: readonly LoadedTextEncoder[]
  /** Width of the UNet's context. */
  readonly contextSize: number
  /** Present where the UNet has these inputs. */
  readonly added?: AddedInputs
  /** Whether no negative prompt means zeros (SDXL) instead of the states of an empty text. */
  readonly zerosEmptyPrompt: boolean
  /** Channels of the latents, 4 in the SD families. */
  readonly latentChannels: number
  /** Pixels a latent cell stands for along one side, 8 in the SD families. */
  readonly latentFactor: number
  readonly noiseSchedule: NoiseScheduleConfig
  /**
   * Whether the UNet was trained for inpainting: behind the channels of its sample it takes one of the mask (1 where the
   * picture is repainted) and the latents of the picture without what is repainted.
   */
  readonly takesMask: boolean
  /**
   * `sample` float32 [rows, channels, h, w] (with `takesMask` twice the latent channels and one), `timestep` float32 [rows],
   * `encoder_attention_bias` float32 [rows, 1, 1, tokens] (0, or a large negative number for tokens a row does not have), what
   * `promptProjection` gives, with `takesStates` `encoder_hidden_states` float32 [rows, tokens, contextSize], and, where `added`
   * is there, `text_embeds` float32 [rows, textEmbedsSize], `time_ids` float32 [rows, 6 or 5]
   * → `out_sample` float32 [rows, channels, h, w].
   */
  readonly unet: ModelSession
  readonly takesStates: boolean
  /** Absent where the UNet takes the states alone. */
  readonly promptProjection?: LoadedPromptProjection
  /** Inputs of the UNet's layers that LoRAs can add to. */
  readonly loraInputs: readonly LoraInputs[]
  /** The layers that LoRAs may name; none where the models folders have no LoRA. */
  readonly loraTargets: LoraTargets
  /** Its own; a request may name another. */
  readonly vae: LoadedVae
  /** Bytes of weights the open sessions hold, for the loader's budget. */
  readonly byteLength: number
}

/** What a LoRA adds to a layer: up · down. */
export interface LoraFactors {
  readonly rank: number
  /** [rank, inputs] or [rank, inputs, kernel, kernel]. */
  readonly down: Float32Array
  /** [rank, outputs]; all that it is to be multiplied by but a request's weight is in it. */
  readonly up: Float32Array
}

/** What a LoRA adds to one network. */
export interface NetworkLora {
  /** By layer. */
  readonly layers: ReadonlyMap<string, LoraFactors>
  /** The largest of any layer; 0 without layers. */
  readonly rank: number
}

/** A LoRA in memory, sorted by the layers of a checkpoint that it fits. */
export interface LoadedLora {
  readonly unet: NetworkLora
  /** One for each text encoder of the checkpoint. */
  readonly textEncoders: readonly NetworkLora[]
}

/** How a picture becomes the input of a CLIP vision encoder; a step that is absent is left out. */
export interface ClipImageSettings {
  /** Size that the picture's shorter side is brought to, or the whole picture. */
  readonly resize?: { readonly shortestEdge: number } | { readonly width: number; readonly height: number }
  readonly kernel: 'bicubic' | 'lanczos'
  /** Size of the part in the middle that is kept; what is smaller gets a black border. */
  readonly crop?: { readonly width: number; readonly height: number }
  /** Factor for each sample. */
  readonly scale?: number
  /** By channel. */
  readonly normalize?: { readonly mean: readonly number[]; readonly deviation: readonly number[] }
}

/** A safety checker that is open on a device. */
export interface LoadedSafetyChecker {
  readonly air: string
  /** Pixels along each side of its input. */
  readonly imageSize: number
  readonly settings: ClipImageSettings
  /**
   * `pixel_values` float32 [rows, 3, imageSize, imageSize] → `flag` float32 [rows]: 1 for sensitive content, 0 for none,
   * and not a number for a picture that cannot be judged.
   */
  readonly session: ModelSession
}

/** A learnt embedding (textual inversion), in memory. */
export interface TextEmbedding {
  /** What stands for it in prompts: the token its file names, else the file's name. */
  readonly trigger: string
  /** For each text encoder it was made for, its vectors one after the other; as many for each. */
  readonly vectors: readonly (readonly Float32Array[])[]
}

/** A ControlNet in the graph of a UNet. */
export interface LoadedControlNet {
  readonly air: string
  /** Maps it gives, for each of which a row has a scale. */
  readonly maps: number
  /** Whether it gives one number for each channel instead of one for each pixel. */
  readonly isPooled: boolean
}

/** A checkpoint's UNet, opened once more with ControlNets, IP-Adapters or both in its graph. */
export interface LoadedSteeredUnet {
  /**
   * The inputs and outputs of the plain one, and with `takesStates` its `encoder_hidden_states`; for ControlNet number K also `control_guide_K` uint8 [rows, h·factor, w·factor, 3] and
   * `control_scale_K` float32 [rows, maps], what the row takes of each map; for IP-Adapter number K also `image_states_K`
   * float32 [rows, tokens, width] and `image_scale_K` float32 [rows].
   */
  readonly unet: ModelSession
  /** ControlNets make keys and values of their own, in every run. */
  readonly takesStates: boolean
  /** In the order of their inputs, as the adapters; the same one may be there several times. */
  readonly controlNets: readonly LoadedControlNet[]
  readonly ipAdapters: readonly Pick<LoadedImagePrompt, 'air' | 'tokens' | 'width'>[]
  /** Weights in the graph for each in the plain UNet's. */
  readonly relativeCost: number
}

/** What steers a UNet beside the prompt: AIRs in the order of their inputs, once for each use. */
export interface SteeringAirs {
  readonly controlNets: readonly string[]
  readonly ipAdapters: readonly string[]
}

/** What IP-Adapters see guide images with, open on a device; those that were trained with the same one share it. */
export interface LoadedImageEncoder {
  /** Names it among what is open. */
  readonly air: string
  /** Pixels along each side of its input. */
  readonly imageSize: number
  readonly settings: ClipImageSettings
  /**
   * `pixel_values` float32 [rows, 3, imageSize, imageSize] → `image_patches` float32 [rows, tokens, width] and, where it has
   * one, the picture's vector `image_embeds` float32 [rows, 1, width].
   */
  readonly session: ModelSession
}

/** Which output of its image encoder an IP-Adapter takes: the states of a picture's patches, or its vector. */
export interface ImageFeatures {
  readonly output: 'image_patches' | 'image_embeds'
  /** Of one picture, and the width of each; a vector is one token. */
  readonly tokens: number
  readonly width: number
}

/** What turns a guide image's features into an IP-Adapter's tokens, open on a device. */
export interface LoadedImagePrompt {
  readonly air: string
  readonly features: ImageFeatures
  /** Tokens of one guide image, and the width of each. */
  readonly tokens: number
  readonly width: number
  /** `image_features` float32 [rows, features, width] → `image_states` float32 [rows, tokens, width]. */
  readonly session: ModelSession
}

/** What a request may use beside its checkpoint, by the type of its model. */
export interface LoadedParts {
  /** One that takes the last steps over. */
  readonly checkpoint: LoadedModel
  readonly vae: LoadedVae
  readonly lora: LoadedLora
  readonly safetyChecker: LoadedSafetyChecker
  readonly embedding: TextEmbedding
  readonly ipAdapter: LoadedImagePrompt
}
export type PartType = keyof LoadedParts

/** Something that stays open until it is released. */
export interface Held<T> {
  readonly part: T
  readonly release: () => void
}

/** Gives models by AIR, loading them at first use and releasing the least recently used when a budget is reached. */
export interface ModelLoader {
  /** Loads a checkpoint, at most once at a time. Throws a ModelError with a sentence for people. */
  load(air: string): Promise<LoadedModel>
  /**
   * Loads what a request uses beside its checkpoint, and holds it.
   * Throws a ModelError with a sentence for people, also when it does not fit beside what the request holds already.
   * @param base the checkpoint, which the request holds
   * @param beside AIRs of the other parts that it holds
   */
  usePart<T extends PartType>(type: T, air: string, base: LoadedModel, beside?: readonly string[]): Promise<Held<LoadedParts[T]>>
  /**
   * Opens the checkpoint's UNet once more with ControlNets and IP-Adapters in its graph, and holds it; otherwise as `usePart`.
   * A ModelError's `air` tells which one is to blame.
   * @param airs the same in another order is another graph
   */
  useSteeredUnet(airs: SteeringAirs, base: LoadedModel, beside?: readonly string[]): Promise<Held<LoadedSteeredUnet>>
  /** Opens the image encoder of an IP-Adapter, and holds it; otherwise as `usePart`. */
  useImageEncoder(air: string, base: LoadedModel, beside?: readonly string[]): Promise<Held<LoadedImageEncoder>>
  /** AIRs whose sessions are open. */
  loaded(): readonly string[]
  /** Marks a model as in use until the returned function is called; a model in use is never released. */
  hold(air: string): () => void
  release(): Promise<void>
}

/** Why a place that was given for models cannot be used, in one sentence for the person who gave it. */
export function describeModelFolderError(reason: string): string {
  return `No models can be read: ${reason}. Each place must be a folder of models, a diffusers folder or a .safetensors file.`
}

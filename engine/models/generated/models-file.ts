// Generated from schemas/ by `npm run generate`; do not edit.
/**
 * models.json of a models folder; its entries are looked at one by one, so that a wrong one does not harm the others.
 */
export interface ModelsFile {
  /**
   * @maxItems 10000
   */
  readonly models: readonly unknown[]
}

/**
 * One model that a models folder offers.
 */
export interface ModelsFileEntry {
  /**
   * Identifier that requests name, source:id@version.
   */
  readonly air: string
  /**
   * Kind of the entry.
   */
  readonly type: 'checkpoint' | 'lora' | 'controlnet' | 'vae' | 'embedding' | 'ipAdapter' | 'safetyChecker'
  /**
   * Folder or file, relative to the models folder, which it may not leave.
   */
  readonly path: string
  /**
   * For a single file: the folder that describes it, relative as path; a diffusers folder without weights for a checkpoint, one with config.json for a vae or a controlnet, the image encoder's folder for an ipAdapter.
   */
  readonly config?: string
  /**
   * Name for people.
   */
  readonly name?: string
  /**
   * Values a request takes from the model where it says nothing itself.
   */
  readonly defaults?: {
    readonly steps?: number
    readonly CFGScale?: number
    readonly scheduler?: string
    readonly width?: number
    readonly height?: number
  }
}

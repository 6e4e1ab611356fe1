/** What a flag carried: its text, all texts of a repeated one, or true where it stood alone. */
export type FlagValue = string | true | readonly string[]

/** Everything a configuration is read from; a flag wins over the environment, which wins over the file. */
export interface ConfigSources {
  /** By the flag's name without dashes. */
  readonly flags: Readonly<Record<string, FlagValue | undefined>>
  readonly env: Readonly<Record<string, string | undefined>>
  readonly file?: { readonly path: string; readonly text: string }
}

/** A configuration file that describes a network this engine cannot compile; the message names the key. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  /** Component and key, for example `unet.act_fn`. */
  readonly key: string

  constructor(key: string, problem: string) {
    super(`the configuration value ${key} ${problem}`)
    this.key = key
  }
}

/** A name from a file as it may stand in a message: short, and without characters that steer a terminal. */
export function quoteName(name: string): string {
  return JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}…` : name)
}

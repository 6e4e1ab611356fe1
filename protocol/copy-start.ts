/** The first characters of a text, as a text of their own: a slice would keep all of the other one in memory. */
export function copyStart(text: string, length: number): string {
  return text.length <= length ? text : text.slice(0, length).split('').join('')
}

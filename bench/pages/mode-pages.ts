import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** A task of a page on a mode, and the picture under it. */
export interface PageTask {
  /** File name of the page. */
  readonly page: string
  /** As the page has it, but for the pictures that it names in brackets. */
  readonly task: Readonly<Record<string, unknown>>
  /** File name of the picture that the page shows under the request, where it does. */
  readonly picture?: string
}

/** Where the pages and their pictures lie, from the package's root. */
export const pagesFolder = 'docs/modes'
export const picturesFolder = 'docs/images/modes'

const requests = /```json\n(\[[\s\S]*?\])\n```\n(?:\s*!\[[^\]]*\]\(\.\.\/images\/modes\/([\w-]+\.webp)\))?/g
/** A picture in brackets stands for any form in which a task names one. */
const named = /^\(([\w-]+\.(?:webp|png))\)$/

/** The tasks of every page, in their order: the JSON arrays, with the picture that follows each. */
export async function readModePages(root: string): Promise<readonly PageTask[]> {
  const pages = (await readdir(join(root, pagesFolder))).filter(name => name.endsWith('.md')).sort()
  const tasks = await Promise.all(pages.map(async page => {
    const text = await readFile(join(root, pagesFolder, page), 'utf8')
    return [...text.matchAll(requests)].flatMap(([, json = '', picture]) =>
      (JSON.parse(json) as PageTask['task'][]).map(task => ({ page, task, ...(picture !== undefined && { picture }) })))
  }))
  return tasks.flat()
}

/** The names of the pictures that a task has in brackets. */
export function picturesIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return named.exec(value)?.slice(1) ?? []
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(picturesIn) : []
}

/** The task with each picture in brackets as base64. */
export function withPictures(task: PageTask['task'], base64Of: (name: string) => string): PageTask['task'] {
  return JSON.parse(JSON.stringify(task, (_, value: unknown) => {
    const [name] = typeof value === 'string' ? picturesIn(value) : []
    return name === undefined ? value : base64Of(name)
  })) as PageTask['task']
}

import { readFileSync, renameSync, utimesSync, writeFileSync } from 'node:fs'
import { readFile, rename, utimes, writeFile } from 'node:fs/promises'

/** What the disk store does with one picture's file. */
export interface ImageFiles {
  /** Writes a new file beside its place, dates it, and moves it there. */
  publish(file: NewFile): Promise<void>
  read(path: string): Promise<Buffer>
}

/** A file before it is in its place. */
export interface NewFile {
  readonly part: string
  readonly path: string
  readonly bytes: Uint8Array
  /** Its modification time, seconds since the epoch. */
  readonly date: number
}

const isOurs = { mode: 0o600, flag: 'wx' } as const

/** Leaves the event loop to others meanwhile. */
export const patientFiles: ImageFiles = {
  publish: async ({ part, path, bytes, date }) => {
    await writeFile(part, bytes, isOurs)
    await utimes(part, date, date)
    await rename(part, path)
  },
  read: path => readFile(path),
}

/**
 * Is done before the event loop turns. For a worker, whose loop turns once in a run of a network: a patient write takes five turns, and
 * so long does a light client wait beside a flood for a picture that is finished. The write itself takes less than a thousandth of a second.
 */
export const promptFiles: ImageFiles = {
  publish: async ({ part, path, bytes, date }) => {
    writeFileSync(part, bytes, isOurs)
    utimesSync(part, date, date)
    renameSync(part, path)
  },
  read: async path => readFileSync(path),
}

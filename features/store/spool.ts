import { mkdirSync, rmSync } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'

/**
 * The way of binary data into the embedded engine: its binding takes statements as text, so a block is written to a file that
 * the statement then reads. The files live as long as their statement, in a folder of the data directory that nobody else
 * can read; what a killed process left is removed when the directory is opened.
 */
export class Spool {
  readonly #folder: string
  #files = 0

  /** `path`: the data directory, which this process holds. */
  constructor(path: string) {
    this.#folder = join(path, 'plumbline.blocks')
    rmSync(this.#folder, { recursive: true, force: true })
    mkdirSync(this.#folder, { mode: 0o700 })
  }

  /** Calls `use` with the path of a file that holds what `bytes` gives, and removes the file. */
  async during<T>(bytes: Readable, use: (file: string) => Promise<T>): Promise<T> {
    this.#files += 1
    const file = join(this.#folder, `${this.#files}.native`)
    const chunks: Buffer[] = []
    let size = 0
    for await (const chunk of bytes) {
      if (!Buffer.isBuffer(chunk)) throw new TypeError('A block is made of buffers.')
      chunks.push(chunk)
      size += chunk.length
    }
    try {
      const handle = await open(file, 'wx', 0o600)
      try {
        const { bytesWritten } = await handle.writev(chunks)
        // What there was no room for is not written; the engine would take the rest for a damaged block.
        if (bytesWritten !== size) throw new Error(`${file}: ${bytesWritten} of ${size} bytes were written.`)
      } finally {
        await handle.close()
      }
      return await use(file)
    } finally {
      await rm(file, { force: true })
    }
  }
}

import type { Dirent, Stats } from 'node:fs'
import { type FileHandle, open, readdir, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { IngestError, ingestError } from './ingest-error.ts'

/**
 * Which files to read, and their bytes. A file that is named is read whatever it is called; in a folder only what looks like
 * a log is, and everything left out is named with its reason.
 */

export const EXTENSIONS = ['.json', '.ndjson', '.jsonl', '.log'] as const
/** The argument that means standard input. */
export const STDIN = '-'
const CHUNK_BYTES = 256 * 1024

/** One input. */
export interface InputFile {
  /** As given, or found below a given folder. `-` is standard input. */
  readonly path: string
  /** `file`: has a size and can be opened again. `stream`: standard input, a pipe, a device: read once, to its end. */
  readonly kind: 'file' | 'stream'
  /** Bytes (compressed) when it was listed, 0 for a stream. */
  readonly size: number
}

export const SKIP_REASONS = [
  'extension', // in a folder, and named like no log
  'empty', // nothing in it
  'duplicate', // the same file by another name
  'loop', // a folder that was already listed
  'not-a-file', // a socket, a device or a pipe inside a folder
] as const
export type SkipReason = (typeof SKIP_REASONS)[number]

export interface FileList {
  readonly files: readonly InputFile[]
  readonly skipped: readonly { readonly path: string; readonly reason: SkipReason }[]
  /** What could not be looked at; the rest is still there. */
  readonly problems: readonly IngestError[]
}

/** Files for these arguments (a file, a folder, `-`), folders in order of name. Never throws: problems are collected. */
export async function listFiles(paths: readonly string[]): Promise<FileList> {
  const listing: Listing = { files: [], skipped: [], problems: [], seen: new Set() }
  for (const path of paths) {
    if (path !== STDIN) await visit(path, listing, { named: true })
    else if (seenBefore(STDIN, listing)) listing.skipped.push({ path, reason: 'duplicate' })
    else listing.files.push({ path, kind: 'stream', size: 0 })
  }
  const { files, skipped, problems } = listing
  return { files, skipped, problems }
}

interface Listing {
  readonly files: InputFile[]
  readonly skipped: { path: string; reason: SkipReason }[]
  readonly problems: IngestError[]
  /** Real paths, of folders and files: ends loops of links and reads no file twice. */
  readonly seen: Set<string>
}

function seenBefore(key: string, { seen }: Listing): boolean {
  const before = seen.has(key)
  seen.add(key)
  return before
}

async function visit(path: string, listing: Listing, how: { readonly named: boolean }): Promise<void> {
  let about: Stats
  let real: string
  try {
    about = await stat(path)
    // A pipe of `<(command)` has no real path; its own name will do.
    real = await realpath(path).catch(() => path)
  } catch (error) {
    listing.problems.push(ingestError(error, path))
    return
  }
  if (about.isDirectory()) {
    if (seenBefore(real, listing)) listing.skipped.push({ path, reason: 'loop' })
    else await visitFolder(path, listing)
    return
  }
  if (!how.named && !isLogName(path)) listing.skipped.push({ path, reason: 'extension' })
  else if (seenBefore(real, listing)) listing.skipped.push({ path, reason: 'duplicate' })
  else if (about.isFile()) {
    if (about.size === 0) listing.skipped.push({ path, reason: 'empty' })
    else listing.files.push({ path, kind: 'file', size: about.size })
  } else if (!how.named) listing.skipped.push({ path, reason: 'not-a-file' })
  else if (about.isFIFO() || about.isCharacterDevice()) listing.files.push({ path, kind: 'stream', size: 0 })
  else listing.problems.push(new IngestError('not-a-file', `${path}: neither a file nor a stream`, { path }))
}

async function visitFolder(path: string, listing: Listing): Promise<void> {
  let entries: Dirent[]
  try {
    entries = await readdir(path, { withFileTypes: true })
  } catch (error) {
    listing.problems.push(ingestError(error, path))
    return
  }
  // By code unit, so that the order does not depend on the locale.
  entries.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
  for (const entry of entries) {
    const child = join(path, entry.name)
    // Names are judged before the file is touched: a dangling link called `x.txt` is no problem of ours.
    if (entry.isDirectory() || entry.isSymbolicLink() || isLogName(entry.name)) {
      await visit(child, listing, { named: false })
    } else listing.skipped.push({ path: child, reason: 'extension' })
  }
}

/** `.json`, `.ndjson`, `.jsonl`, `.log`, each also with `.gz`, in any case. */
export function isLogName(name: string): boolean {
  const lower = name.toLowerCase()
  const plain = lower.endsWith('.gz') ? lower.slice(0, -3) : lower
  return EXTENSIONS.some((extension) => plain.endsWith(extension))
}

export interface OpenedFile {
  /** Its bytes, from `from` up to the size it had when it was opened. Closes the file at the end or when abandoned. */
  readonly bytes: AsyncIterable<Buffer>
  /** Has it become longer since it was opened? Valid during and after reading. */
  readonly growing: () => Promise<boolean>
  readonly close: () => Promise<void>
}

/**
 * Opens a file or stream. A file is read up to its size of this moment, so that a log being written ends somewhere; read on
 * `from` where the last reading stopped. Throws IngestError (`not-found`, `no-permission`, …).
 */
export async function openFile(
  file: InputFile,
  options: { readonly from?: number; readonly stdin?: AsyncIterable<Buffer> } = {},
): Promise<OpenedFile> {
  const { path } = file
  if (path === STDIN) {
    const bytes = options.stdin ?? process.stdin
    return { bytes: buffers(bytes, path), growing: async () => false, close: async () => {} }
  }
  let handle: FileHandle
  let size: number
  try {
    handle = await open(path, 'r')
  } catch (error) {
    throw ingestError(error, path)
  }
  try {
    const about = await handle.stat()
    if (about.isDirectory()) throw new IngestError('not-a-file', `${path}: a folder`, { path })
    size = about.isFile() ? about.size : Number.POSITIVE_INFINITY
  } catch (error) {
    await handle.close()
    throw ingestError(error, path)
  }
  let closed = false
  const close = async (): Promise<void> => {
    if (closed) return
    closed = true
    await handle.close()
  }
  const growing = async (): Promise<boolean> => {
    if (size === Number.POSITIVE_INFINITY) return false
    // By name once it is closed; a file that was rotated away meanwhile is not growing.
    const now = closed ? await stat(path).catch(() => undefined) : await handle.stat()
    return now !== undefined && now.size > size
  }
  return { bytes: chunks(handle, { path, from: options.from ?? 0, size, close }), growing, close }
}

async function* chunks(
  handle: FileHandle,
  about: {
    readonly path: string
    readonly from: number
    readonly size: number
    readonly close: () => Promise<void>
  },
): AsyncGenerator<Buffer> {
  const seekable = about.size !== Number.POSITIVE_INFINITY
  let at = about.from
  try {
    while (at < about.size) {
      const length = Math.min(CHUNK_BYTES, about.size - at)
      const buffer = Buffer.allocUnsafeSlow(length)
      const { bytesRead } = await handle.read(buffer, 0, length, seekable ? at : null)
      // Shorter than it was: truncated in place while being read.
      if (bytesRead === 0) return
      at += bytesRead
      yield bytesRead === length ? buffer : buffer.subarray(0, bytesRead)
    }
  } catch (error) {
    throw ingestError(error, about.path)
  } finally {
    await about.close()
  }
}

/** Standard input gives buffers, unless somebody set an encoding on it. */
async function* buffers(input: AsyncIterable<Buffer | string>, path: string): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of input) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk
  } catch (error) {
    throw ingestError(error, path)
  }
}

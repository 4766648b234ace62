import { createHash } from 'node:crypto'
import { constants, type FileHandle, open } from 'node:fs/promises'
import { z } from 'zod'
import { isGzip } from '../ingest/gzip.ts'
import { ingestError } from '../ingest/ingest-error.ts'
import { createReadTally, type ReadRecord, readRecords } from '../ingest/reader.ts'
import type { SourceRegistry } from '../ingest/sources.ts'
import { type Intake, ingestInput } from './intake.ts'
import { newCounts } from './pipeline.ts'

/**
 * One file of a watched folder, read on from where the last reading became durable.
 *
 * A file is known by device and inode, so it stays itself when it is renamed. An inode is used again for a new file, and a
 * file is emptied and filled again: both are told by the hash of its first bytes, and read from the start.
 */
const markSchema = z.object({
  /** Bytes of the file that are durable; of a gzip file all or nothing. */
  offset: z.number().int().nonnegative(),
  /** Lines before the offset. */
  lines: z.number().int().nonnegative(),
  /** Hash of the first `headBytes` bytes. */
  headBytes: z.number().int().nonnegative(),
  head: z.string(),
})
export type FileMark = z.infer<typeof markSchema>

const HEAD_BYTES = 1024
const CHUNK_BYTES = 256 * 1024
const START: FileMark = { offset: 0, lines: 0, headBytes: 0, head: '' }
/** Batches between two intermediate marks of a long file. */
const BATCHES_PER_MARK = 8

export interface WatchedFile {
  readonly path: string
  /** `file:<device>:<inode>`: its cursor. */
  readonly key: string
}

export interface ReadOn {
  readonly intake: Pick<Intake, 'ingest'>
  readonly registry: SourceRegistry
  /** Epoch ms. */
  readonly now: number
  /** Nothing was written for this long: its last line is whole though no line break follows, its gzip is complete. */
  readonly settleMs: number
  /** Remembers a position, once everything before it is durable. */
  readonly remember: (mark: FileMark) => Promise<void>
  readonly stopping: () => boolean
}

export interface ReadOutcome {
  readonly mark: FileMark
  /**
   * `read`: to its end. `waiting`: the rest is being written. `moved`: another file stands there now.
   * `damaged`: to its end, but the gzip data are cut.
   */
  readonly state: 'read' | 'waiting' | 'moved' | 'damaged'
  /** It was read from the start again: emptied, or another file with the inode of an old one. */
  readonly replaced: boolean
  readonly records: number
}

export class WatchStopped extends Error {
  readonly code = 'watch-stopped'
}

/** A stored mark; undefined when it is not one of ours. */
export function parseMark(text: string): FileMark | undefined {
  try {
    return markSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

/** Throws IngestError for a file that cannot be read, WatchStopped, and what the intake throws. */
export async function readOn(
  file: WatchedFile,
  known: FileMark | undefined,
  options: ReadOn,
): Promise<ReadOutcome> {
  const { path } = file
  let handle: FileHandle
  try {
    // Whoever may write to the folder may have put a pipe there since it was listed: opening that would wait for a writer.
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    throw ingestError(error, path)
  }
  try {
    const about = await handle.stat({ bigint: true })
    if (keyOf(about) !== file.key)
      return { mark: known ?? START, state: 'moved', replaced: false, records: 0 }
    const size = Number(about.size)
    const head = await headOf(handle, path)
    const same =
      known === undefined ||
      (size >= known.offset && known.head === hashOf(head.subarray(0, known.headBytes)))
    const from = known !== undefined && same ? known : START
    const settled = options.now - Number(about.mtimeMs) >= options.settleMs
    const read = { handle, path, size, from, settled, head }
    const outcome = isGzip(head) ? await readWhole(read, options) : await readRest(read, options)
    const mark = markAt(head, outcome)
    if (mark.offset !== known?.offset || mark.head !== known.head) await options.remember(mark)
    return { mark, state: outcome.state, records: outcome.records, replaced: !same }
  } finally {
    await handle.close()
  }
}

export const keyOf = (about: { readonly dev: bigint; readonly ino: bigint }): string =>
  `file:${about.dev}:${about.ino}`

interface Reading {
  readonly handle: FileHandle
  readonly path: string
  readonly size: number
  readonly from: FileMark
  readonly settled: boolean
  /** Its first bytes when it was opened. */
  readonly head: Buffer
}
interface Progress {
  readonly offset: number
  readonly lines: number
  readonly state: 'read' | 'waiting' | 'damaged'
  readonly records: number
}

/** gzip cannot be read on from the middle: once, when it is complete, and again as a whole should it have changed. */
async function readWhole({ handle, path, size, from, settled }: Reading, options: ReadOn): Promise<Progress> {
  if (from.offset === size) return { ...from, state: 'read', records: 0 }
  if (!settled) return { ...from, state: 'waiting', records: 0 }
  const counts = newCounts()
  const tally = createReadTally()
  const input = readRecords(chunks(handle, { path, from: 0, size, stopping: options.stopping }), {
    registry: options.registry,
    tenant: '',
    arrival: options.now,
    origin: path,
    tally,
  })
  await ingestInput(options.intake, input, counts)
  const damaged = counts.dead.has('truncated-gzip') || counts.dead.has('corrupt-gzip')
  return { offset: size, lines: tally.lines, state: damaged ? 'damaged' : 'read', records: counts.read }
}

async function readRest(
  { handle, path, size, from, settled, head }: Reading,
  options: ReadOn,
): Promise<Progress> {
  if (from.offset === size) return { ...from, state: 'read', records: 0 }
  const counts = newCounts()
  const tally = createReadTally()
  const input = readRecords(chunks(handle, { path, from: from.offset, size, stopping: options.stopping }), {
    registry: options.registry,
    tenant: '',
    arrival: options.now,
    origin: path,
    growing: () => !settled,
    tally,
  })
  let batches = 0
  await ingestInput(options.intake, placed(input, from), counts, async (records) => {
    batches += 1
    const last = records.at(-1)
    if (batches % BATCHES_PER_MARK !== 0 || last === undefined) return
    // Its own line is read once more: the rest of a document may be in the next batch.
    await options.remember(markAt(head, { offset: last.offset, lines: last.line - 1 }))
  })
  const state = tally.unread === undefined ? 'read' : 'waiting'
  return { offset: from.offset + tally.bytes, lines: from.lines + tally.lines, state, records: counts.read }
}

/** Positions in the file instead of in the part that was read: two equal bad lines must stay two dead letters. */
async function* placed(
  input: AsyncIterable<readonly ReadRecord[]>,
  from: FileMark,
): AsyncGenerator<readonly ReadRecord[]> {
  for await (const records of input) {
    if (from.offset === 0) yield records
    else
      yield records.map((record) => {
        const line = record.line + from.lines
        const offset = record.offset + from.offset
        const { letter } = record
        if (letter === undefined) return { ...record, line, offset }
        return {
          ...record,
          line,
          offset,
          letter: { ...letter, position: { ...letter.position, line, offset } },
        }
      })
  }
}

async function* chunks(
  handle: FileHandle,
  about: {
    readonly path: string
    readonly from: number
    readonly size: number
    readonly stopping: () => boolean
  },
): AsyncGenerator<Buffer> {
  let at = about.from
  while (at < about.size) {
    // Thrown, not ended: an end would turn the line or the gzip data at hand into a dead letter.
    if (about.stopping()) throw new WatchStopped('Reading was stopped.')
    const length = Math.min(CHUNK_BYTES, about.size - at)
    const bytes = await readAt(handle, about.path, { at, length })
    // Shorter than it was: emptied while being read.
    if (bytes.length === 0) return
    at += bytes.length
    yield bytes
  }
}

const headOf = (handle: FileHandle, path: string): Promise<Buffer> =>
  readAt(handle, path, { at: 0, length: HEAD_BYTES })

async function readAt(
  handle: FileHandle,
  path: string,
  { at, length }: { readonly at: number; readonly length: number },
): Promise<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(length)
  try {
    const { bytesRead } = await handle.read(buffer, 0, length, at)
    return buffer.subarray(0, bytesRead)
  } catch (error) {
    throw ingestError(error, path)
  }
}

/**
 * The head is that of the opening, never of now: a file that is emptied and filled again while it is read would otherwise
 * be taken for the one that was read, and its beginning skipped. Reading ends at the size of the opening, so it covers
 * every offset.
 */
function markAt(
  atOpening: Buffer,
  { offset, lines }: { readonly offset: number; readonly lines: number },
): FileMark {
  const head = atOpening.subarray(0, offset)
  return { offset, lines, headBytes: head.length, head: hashOf(head) }
}

const hashOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex').slice(0, 32)

import { savedElements } from './documents.ts'
import { type InputFile, openFile } from './files.ts'
import { uncompressed } from './gzip.ts'
import { type IngestError, ingestError } from './ingest-error.ts'
import {
  createInterpreter,
  createReadTally,
  type InterpretOptions,
  type ReadRecord,
  readRecords,
} from './reader.ts'

/**
 * Files replayed as one stream in event-time order: a merge that opens a file when its time has come and keeps, of each open
 * file, a bounded buffer in which records that are a little out of order are put right.
 *
 * Records without a time of their own stay where they stood in their file. Ties are decided by time, then by the order of the
 * files, then by position, so that a replay is the same every time.
 */

export interface ReplayOptions extends Omit<InterpretOptions, 'origin'> {
  /** Name of the stream for a file, when it depends on the file; default: `tenant` for all. */
  readonly tenantOf?: ((file: InputFile) => string) | undefined
  /** Records a file may be out of order by, default 4096. */
  readonly reorderRecords?: number | undefined
  /** The same, shared by all open files, which bounds memory: default 131 072; at least 64 for each. */
  readonly reorderRecordsTotal?: number | undefined
  /** Files open at the same time, default 256. Beyond it a file waits, and what it holds comes late (`late` counts it). */
  readonly maxOpenFiles?: number | undefined
  /** Milliseconds before its first time that a file is opened, because its first record need not be its earliest; default 15 min. */
  readonly leadMs?: number | undefined
  readonly maxLineBytes?: number | undefined
  readonly maxDocumentBytes?: number | undefined
  readonly stdin?: AsyncIterable<Buffer> | undefined
  /** A file that could not be opened or not be read to its end. The others go on. */
  readonly onProblem: (problem: IngestError) => void
  /** Filled in while reading. */
  readonly tally?: ReplayTally | undefined
}

export interface ReplayTally {
  files: number
  read: number
  accepted: number
  filtered: number
  dead: number
  bytes: number
  lines: number
  /** Bytes of the files (compressed where they are) taken in so far, and the records made of them, given or still kept back. */
  consumed: number
  parsed: number
  /** Records given after a later one: out of order by more than the buffer, or their file had to wait. */
  late: number
  /** Files that ended in half a line while being written, and where to read on. */
  unread: { readonly path: string; readonly offset: number; readonly bytes: number }[]
}

export const createReplayTally = (): ReplayTally => ({
  files: 0,
  read: 0,
  accepted: 0,
  filtered: 0,
  dead: 0,
  bytes: 0,
  lines: 0,
  consumed: 0,
  parsed: 0,
  late: 0,
  unread: [],
})

const BATCH = 4096
const PEEK_BYTES = 64 * 1024
const PEEK_RECORDS = 64
const LEAD_MS = 15 * 60_000

/** The records of all files in event-time order, in arrays. Never throws for a bad file: see `onProblem`. */
export async function* replayInOrder(
  files: readonly InputFile[],
  options: ReplayOptions,
): AsyncGenerator<readonly ReadRecord[]> {
  const tally = options.tally ?? createReplayTally()
  const maxOpen = Math.max(1, options.maxOpenFiles ?? 256)
  const lead = options.leadMs ?? LEAD_MS
  const waiting = await sortedByFirstTime(files, options)
  const heap = new CursorHeap()
  let next = 0
  let out: ReadRecord[] = []
  let latest = Number.NEGATIVE_INFINITY
  // Shared among the files that are open or due, not only those open so far: at a common start all fill at once.
  const window = (due: number): number => {
    const share = Math.floor((options.reorderRecordsTotal ?? 131_072) / Math.min(maxOpen, heap.size + due))
    return Math.min(options.reorderRecords ?? 4096, Math.max(64, share))
  }
  try {
    for (;;) {
      // Everything that may hold a record before the front must be open before the front moves on.
      while (next < waiting.length && heap.size < maxOpen) {
        const candidate = waiting[next]
        const front = heap.top()?.headTime() ?? Number.POSITIVE_INFINITY
        if (candidate === undefined || (heap.size > 0 && candidate.first - lead > front)) break
        next++
        const cursor = new FileCursor(candidate.file, next, options, tally)
        if (await cursor.fill(window(countDue(waiting, next, candidate.first + lead)))) heap.push(cursor)
      }
      const cursor = heap.top()
      if (cursor === undefined) break
      const coming = waiting[next]
      const limit =
        coming === undefined || heap.size >= maxOpen ? Number.POSITIVE_INFINITY : coming.first - lead
      const rival = heap.second()
      const { ready } = cursor
      let at = cursor.at
      const bound = rival === undefined ? Number.POSITIVE_INFINITY : rival.headTime()
      const winsTies = rival === undefined || cursor.order < rival.order
      for (; at < ready.length; at++) {
        const record = ready[at]
        if (record === undefined || record.time > bound || (record.time === bound && !winsTies)) break
        // The first record always goes: opening the next file was just considered for it.
        if (record.time >= limit && at > cursor.at) break
        if (record.verdict.outcome === 'accepted') {
          if (record.time < latest) tally.late++
          else latest = record.time
        }
        out.push(record)
      }
      cursor.at = at
      if (out.length >= BATCH) {
        yield out
        out = []
      }
      if (at < ready.length || (await cursor.fill(window(0)))) heap.sink()
      else heap.pop()
    }
    if (out.length > 0) yield out
  } finally {
    await heap.close()
  }
}

interface Waiting {
  readonly file: InputFile
  readonly first: number
}

/** One more than the files from `next` on that begin before `until`: at most as many as matter. */
function countDue(waiting: readonly Waiting[], next: number, until: number): number {
  let due = 1
  while (due < 1024 && (waiting[next + due - 1]?.first ?? Number.POSITIVE_INFINITY) <= until) due++
  return due
}

async function sortedByFirstTime(files: readonly InputFile[], options: ReplayOptions): Promise<Waiting[]> {
  const waiting: Waiting[] = []
  for (const file of files) {
    try {
      waiting.push({ file, first: await firstTime(file, options) })
    } catch (error) {
      options.onProblem(ingestError(error, file.path))
    }
  }
  // Stable: files of one time stay in the order given.
  return waiting.sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0))
}

/**
 * Earliest event time among the first records of a file; minus infinity for a stream, which can be read only once, and for a
 * file whose beginning tells nothing (it is then opened at once, which costs an open file and no order).
 */
async function firstTime(file: InputFile, options: ReplayOptions): Promise<number> {
  if (file.kind === 'stream') return Number.NEGATIVE_INFINITY
  const opened = await openFile(file)
  const head: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of uncompressed(opened.bytes)) {
      head.push(chunk)
      length += chunk.length
      if (length >= PEEK_BYTES) break
    }
  } catch (error) {
    const { code } = ingestError(error, file.path)
    if (code === 'read-failed' || code === 'no-permission') throw error
    // Damaged gzip: what came before the damage tells the time, and reading it will report the damage.
  } finally {
    await opened.close()
  }
  const bytes = Buffer.concat(head).subarray(0, PEEK_BYTES)
  const hasByteOrderMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
  return earliest(hasByteOrderMark ? bytes.subarray(3) : bytes, file, options)
}

function earliest(head: Buffer, file: InputFile, options: ReplayOptions): number {
  const interpreter = createInterpreter({ ...options, origin: file.path })
  const records: ReadRecord[] = []
  const judge = (start: number, end: number): void => {
    interpreter.interpretLine({ bytes: head, start, end, line: 1, offset: 0, fault: undefined }, records)
  }
  // The beginning of one long document (CloudTrail's files are one line), or of lines.
  const whole = savedElements(head)
  for (let at = 0; at + 1 < whole.length && records.length < PEEK_RECORDS; at += 2) {
    judge(whole[at] ?? 0, whole[at + 1] ?? 0)
  }
  let start = 0
  while (whole.length === 0 && start < head.length && records.length < PEEK_RECORDS) {
    const found = head.indexOf(10, start)
    const end = found < 0 ? head.length : found
    if (end > start) judge(start, end)
    start = end + 1
  }
  let first = Number.POSITIVE_INFINITY
  for (const { verdict, time } of records) {
    if (verdict.outcome === 'accepted' && time < first) first = time
  }
  return first === Number.POSITIVE_INFINITY ? Number.NEGATIVE_INFINITY : first
}

/** One open file: its records in order, as far as the buffer can put them right. */
class FileCursor {
  /** Records that may go, in order. */
  ready: ReadRecord[] = []
  at = 0
  readonly order: number
  private pending: ReadRecord[] = []
  private ended = false
  private batches: AsyncGenerator<readonly ReadRecord[]> | undefined
  private closeFile: () => Promise<void> = async () => {}
  private readonly file: InputFile
  private readonly options: ReplayOptions
  private readonly total: ReplayTally
  private readonly tally = createReadTally()

  constructor(file: InputFile, order: number, options: ReplayOptions, total: ReplayTally) {
    this.file = file
    this.order = order
    this.options = options
    this.total = total
  }

  headTime(): number {
    return this.ready[this.at]?.time ?? Number.POSITIVE_INFINITY
  }

  /** Makes at least one record ready, keeping back `window` records to sort later ones into; false at the end. */
  async fill(window: number): Promise<boolean> {
    this.ready = []
    this.at = 0
    while (!this.ended) {
      const batch = await this.nextBatch()
      if (batch === undefined) {
        this.ended = true
        this.ready = this.pending
        this.pending = []
        return this.ready.length > 0
      }
      const inOrder = isInOrder(this.pending, batch)
      for (const record of batch) this.pending.push(record)
      // Two sorted runs are what the engine's merge sort does fastest.
      if (!inOrder) this.pending.sort(byTime)
      // Half as much again before anything is released: moving the buffer for every few records would cost more than sorting.
      if (this.pending.length >= window + Math.max(1, window >> 1)) {
        const kept = this.pending.length - window
        this.ready = this.pending.slice(0, kept)
        this.pending = this.pending.slice(kept)
        return true
      }
    }
    return false
  }

  async close(): Promise<void> {
    await this.batches?.return(undefined)
    await this.closeFile()
  }

  private async nextBatch(): Promise<readonly ReadRecord[] | undefined> {
    try {
      this.batches ??= await this.open()
      const next = await this.batches.next()
      if (next.done !== true) {
        this.total.parsed += next.value.length
        return next.value
      }
    } catch (error) {
      this.options.onProblem(ingestError(error, this.file.path))
    }
    await this.closeFile()
    this.report()
    return undefined
  }

  private async open(): Promise<AsyncGenerator<readonly ReadRecord[]>> {
    const { options, file } = this
    const { stdin, maxLineBytes, maxDocumentBytes, registry, source, arrival } = options
    const opened = await openFile(file, stdin === undefined ? {} : { stdin })
    this.total.files++
    this.closeFile = opened.close
    return readRecords(counted(opened.bytes, this.total), {
      registry,
      source,
      arrival,
      tenant: options.tenantOf?.(file) ?? options.tenant,
      origin: file.path,
      growing: opened.growing,
      maxLineBytes,
      maxDocumentBytes,
      tally: this.tally,
    })
  }

  private report(): void {
    const { total, tally } = this
    total.read += tally.read
    total.accepted += tally.accepted
    total.filtered += tally.filtered
    total.dead += tally.dead
    total.bytes += tally.bytes
    total.lines += tally.lines
    if (tally.unread !== undefined) total.unread.push({ path: this.file.path, ...tally.unread })
  }
}

async function* counted(bytes: AsyncIterable<Buffer>, tally: ReplayTally): AsyncGenerator<Buffer> {
  for await (const chunk of bytes) {
    tally.consumed += chunk.length
    yield chunk
  }
}

const byTime = (a: ReadRecord, b: ReadRecord): number => a.time - b.time

function isInOrder(before: readonly ReadRecord[], batch: readonly ReadRecord[]): boolean {
  let last = before[before.length - 1]?.time ?? Number.NEGATIVE_INFINITY
  for (const { time } of batch) {
    if (time < last) return false
    last = time
  }
  return true
}

/** Binary heap of open files by the time of their next record, then by the order of the files. */
class CursorHeap {
  private readonly cursors: FileCursor[] = []

  get size(): number {
    return this.cursors.length
  }

  top(): FileCursor | undefined {
    return this.cursors[0]
  }

  /** The one that comes after the top. */
  second(): FileCursor | undefined {
    const [, left, right] = this.cursors
    if (left === undefined || right === undefined) return left
    return isBefore(right, left) ? right : left
  }

  push(cursor: FileCursor): void {
    let at = this.cursors.push(cursor) - 1
    while (at > 0) {
      const above = (at - 1) >> 1
      const parent = this.cursors[above]
      if (parent === undefined || !isBefore(cursor, parent)) break
      this.cursors[at] = parent
      at = above
    }
    this.cursors[at] = cursor
  }

  pop(): void {
    const last = this.cursors.pop()
    if (last === undefined || this.cursors.length === 0) return
    this.cursors[0] = last
    this.sink()
  }

  /** Puts the top where it belongs after its time has changed. */
  sink(): void {
    const moving = this.cursors[0]
    if (moving === undefined) return
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      let child = this.cursors[below]
      if (child === undefined) break
      const right = this.cursors[below + 1]
      if (right !== undefined && isBefore(right, child)) {
        child = right
        below++
      }
      if (!isBefore(child, moving)) break
      this.cursors[at] = child
      at = below
    }
    this.cursors[at] = moving
  }

  async close(): Promise<void> {
    for (const cursor of this.cursors) await cursor.close()
  }
}

function isBefore(a: FileCursor, b: FileCursor): boolean {
  const left = a.headTime()
  const right = b.headTime()
  return left < right || (left === right && a.order < b.order)
}

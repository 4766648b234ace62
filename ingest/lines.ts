import { IngestError } from './ingest-error.ts'
import { type DeadVerdict, dead } from './outcome.ts'

/**
 * Bytes to lines, in batches: one `await` per chunk of input, none per line.
 *
 * A batch is a slab of bytes and the ranges of its lines; nothing is copied per line. Memory is bounded by the longest
 * line allowed: a longer one is dropped while it streams by, except for its head.
 */

const NEWLINE = 10
const CARRIAGE_RETURN = 13
/** A batch is closed once it spans this many bytes, however large the chunk was. */
const BATCH_BYTES = 256 * 1024
/** What is kept of a line that is too long. */
const HEAD_BYTES = 64 * 1024
/** Room for small pieces of an unfinished line. */
const BLOCK_BYTES = 4096
/** How much of an input is looked at to tell binary from text. */
const SNIFF_BYTES = 8 * 1024

/** One line that is not blank, without its line break, as a range of a shared slab. */
export interface Line {
  /** The slab; the line is `bytes[start, end)`. Copy what must outlive the batch. */
  readonly bytes: Buffer
  readonly start: number
  readonly end: number
  /** 1-based. */
  readonly line: number
  /** Byte offset of `start` in the uncompressed input. */
  readonly offset: number
  /** Set when the line cannot be read (`read/line-too-long`, `read/truncated-gzip`, …); the range then holds what is left. */
  readonly fault: DeadVerdict | undefined
}

/** Contiguous lines: `bytes[start, end)` is the original input including line breaks and blank lines. */
export interface LineBatch {
  readonly bytes: Buffer
  readonly start: number
  readonly end: number
  /** Byte offset of `start` in the uncompressed input. */
  readonly offset: number
  readonly lines: readonly Line[]
}

export interface LineOptions {
  /** Longest line in bytes, default 64 MiB. */
  readonly maxLineBytes?: number | undefined
  /** Most bytes (uncompressed) of the whole input; beyond, `input-too-large` is thrown. Default: no limit. */
  readonly maxInputBytes?: number | undefined
  /**
   * Asked once, at the end of an input whose last line has no line break: is more of it being written? If so the half line
   * is left for the next reading instead of being judged.
   */
  readonly growing?: (() => Promise<boolean> | boolean) | undefined
  /** Filled in while reading. */
  readonly tally?: LineTally | undefined
}

/** What went by. */
export interface LineTally {
  /** Bytes of the uncompressed input. */
  bytes: number
  /** Lines, blank ones included. */
  lines: number
  /** The half line at the end of a growing input that was left unread: read on from this offset. */
  unread: { readonly offset: number; readonly bytes: number } | undefined
}

export const createLineTally = (): LineTally => ({ bytes: 0, lines: 0, unread: undefined })

export const DEFAULT_MAX_LINE_BYTES = 64 * 1024 * 1024

/**
 * Lines of an input. Tolerates CRLF, a byte order mark and a missing final line break; blank lines are counted but not
 * given. A damaged gzip (`truncated-gzip`, `corrupt-gzip`, `trailing-garbage` thrown by the input) ends in a last line that
 * carries the fault, after everything that came before it. Throws IngestError `binary-input`, `utf-16-input`,
 * `input-too-large`, and whatever the input throws, but only after the complete lines before it were given.
 */
export async function* readLines(
  input: AsyncIterable<Buffer>,
  options: LineOptions = {},
): AsyncGenerator<LineBatch> {
  const tally = options.tally ?? createLineTally()
  const splitter = createLineSplitter(options.maxLineBytes ?? DEFAULT_MAX_LINE_BYTES, tally)
  const maxInput = options.maxInputBytes ?? Number.POSITIVE_INFINITY
  let sniffed: Buffer | undefined = Buffer.alloc(0)
  try {
    for await (const chunk of input) {
      if (chunk.length === 0) continue
      let bytes = chunk
      if (sniffed !== undefined) {
        // Held back until there is enough to judge, or a line break shows that it is text: answers on a slow pipe must not wait.
        bytes = sniffed.length === 0 ? chunk : Buffer.concat([sniffed, chunk])
        if (bytes.length < SNIFF_BYTES && bytes.indexOf(NEWLINE) < 0) {
          sniffed = bytes
          continue
        }
        refuseBinary(bytes)
        sniffed = undefined
      }
      if (splitter.received() + bytes.length > maxInput) {
        throw new IngestError('input-too-large', `more than ${maxInput} bytes of input`)
      }
      yield* splitter.push(bytes)
    }
  } catch (error) {
    if (!isDamagedGzip(error)) throw error
    if (sniffed !== undefined && sniffed.length > 0) yield* splitter.push(sniffed)
    // After trailing garbage the data themselves are whole, so their last line is an ordinary one.
    if (error.code === 'trailing-garbage') yield* splitter.end(undefined)
    yield* splitter.end(dead('read', error.code, error.message))
    return
  }
  if (sniffed !== undefined && sniffed.length > 0) {
    refuseBinary(sniffed)
    yield* splitter.push(sniffed)
  }
  const held = splitter.held()
  if (held > 0 && options.growing !== undefined && (await options.growing())) {
    tally.unread = { offset: splitter.received() - held, bytes: held }
    tally.bytes -= held
    return
  }
  yield* splitter.end(undefined)
}

/** The lines of a buffer that is complete; `offset` and `line` say where it started in its input. */
export function* splitLines(
  bytes: Buffer,
  from: { readonly offset: number; readonly line: number; readonly maxLineBytes: number },
): Generator<LineBatch> {
  const splitter = createLineSplitter(from.maxLineBytes, createLineTally(), from)
  yield* splitter.push(bytes)
  yield* splitter.end(undefined)
}

function isDamagedGzip(error: unknown): error is IngestError {
  if (!(error instanceof IngestError)) return false
  return error.code === 'truncated-gzip' || error.code === 'corrupt-gzip' || error.code === 'trailing-garbage'
}

function refuseBinary(bytes: Buffer): void {
  const first = bytes[0]
  const second = bytes[1]
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
    throw new IngestError('utf-16-input', 'the input is UTF-16; convert it to UTF-8')
  }
  const head = bytes.subarray(0, SNIFF_BYTES)
  if (head.indexOf(0) >= 0 && head.indexOf(NEWLINE) < 0) {
    throw new IngestError('binary-input', 'the input is binary, not text')
  }
}

interface LineSplitter {
  push(chunk: Buffer): Generator<LineBatch>
  /** The unfinished last line. With a fault, a line is given even when nothing was left. */
  end(fault: DeadVerdict | undefined): Generator<LineBatch>
  /** Bytes of an unfinished line. */
  held(): number
  /** Bytes pushed, plus the starting offset. */
  received(): number
}

function createLineSplitter(
  maxLineBytes: number,
  tally: LineTally,
  from: { readonly offset: number; readonly line: number } = { offset: 0, line: 1 },
): LineSplitter {
  let received = from.offset
  let line = from.line
  // An unfinished line in pieces: joined once, when its end arrives. Joining at every chunk would be quadratic.
  let pieces: Buffer[] = []
  let held = 0
  let lastByte = 0
  // Beyond the limit only the head is kept, and `held` goes on counting.
  let head: Buffer | undefined

  function hold(bytes: Buffer): void {
    held += bytes.length
    lastByte = bytes[bytes.length - 1] ?? lastByte
    if (head !== undefined) return
    if (bytes.length >= HEAD_BYTES) pieces.push(bytes)
    else holdSmall(bytes)
    // Grace for the line break and for a head that is longer than the limit: up to here `split` judges, like any other line.
    if (held <= Math.max(maxLineBytes, HEAD_BYTES) + 3) return
    head = headOf(pieces)
    pieces = []
  }

  let block = Buffer.alloc(0)
  let used = 0

  /** Copied, because a small rest would otherwise pin its whole chunk; side by side, because a line may come byte by byte. */
  function holdSmall(bytes: Buffer): void {
    const last = pieces.at(-1)
    const goesOn = last !== undefined && last.buffer === block.buffer && bytes.length <= block.length - used
    if (!goesOn) {
      block = Buffer.allocUnsafeSlow(Math.max(BLOCK_BYTES, bytes.length))
      used = 0
    }
    bytes.copy(block, used)
    used += bytes.length
    const piece = block.subarray(0, used)
    if (goesOn) pieces[pieces.length - 1] = piece
    else pieces.push(piece)
  }

  function tooLong(bytes: Buffer, offset: number, length: number): Line {
    const verdict = dead('read', 'line-too-long', `${length} bytes, the limit is ${maxLineBytes}`)
    return { bytes, start: 0, end: bytes.length, line, offset, fault: verdict }
  }

  function* finishHeld(rest: Buffer): Generator<LineBatch> {
    const offset = received - held
    const before = rest.length > 1 ? rest[rest.length - 2] : lastByte
    const lineBreak = rest.length === 0 ? 0 : before === CARRIAGE_RETURN ? 2 : 1
    hold(rest)
    if (head !== undefined) {
      const skip = hasByteOrderMark(head, offset) ? 3 : 0
      const length = held - lineBreak - skip
      const kept = head.subarray(skip, skip + Math.min(length, HEAD_BYTES))
      yield {
        bytes: kept,
        start: 0,
        end: kept.length,
        offset: offset + skip,
        lines: [tooLong(kept, offset + skip, length)],
      }
      line++
    } else if (held > 0) {
      const joined = Buffer.concat(pieces)
      yield* split(joined, offset)
    }
    pieces = []
    head = undefined
    held = 0
  }

  /** Lines of a slab whose last byte ends a line (or the input). */
  function* split(bytes: Buffer, base: number): Generator<LineBatch> {
    let lines: Line[] = []
    let start = hasByteOrderMark(bytes, base) ? 3 : 0
    let batchStart = start
    const length = bytes.length
    while (start < length) {
      const found = bytes.indexOf(NEWLINE, start)
      const next = found < 0 ? length : found + 1
      let end = found < 0 ? length : found
      if (end > start && bytes[end - 1] === CARRIAGE_RETURN) end--
      if (end - start > maxLineBytes) {
        const kept = Buffer.from(bytes.subarray(start, Math.min(end, start + HEAD_BYTES)))
        lines.push(tooLong(kept, base + start, end - start))
      } else if (!isBlank(bytes, start, end)) {
        lines.push({ bytes, start, end, line, offset: base + start, fault: undefined })
      }
      line++
      start = next
      if (start - batchStart >= BATCH_BYTES) {
        yield { bytes, start: batchStart, end: start, offset: base + batchStart, lines }
        lines = []
        batchStart = start
      }
    }
    if (start > batchStart) yield { bytes, start: batchStart, end: start, offset: base + batchStart, lines }
  }

  return {
    *push(chunk) {
      const last = chunk.lastIndexOf(NEWLINE)
      tally.bytes += chunk.length
      if (last < 0) {
        hold(chunk)
        received += chunk.length
        return
      }
      let start = 0
      if (held > 0) {
        start = chunk.indexOf(NEWLINE) + 1
        yield* finishHeld(chunk.subarray(0, start))
        received += start
      }
      if (last + 1 > start) {
        yield* split(chunk.subarray(start, last + 1), received)
        received += last + 1 - start
      }
      if (last + 1 < chunk.length) {
        hold(chunk.subarray(last + 1))
        received += chunk.length - last - 1
      }
      tally.lines = line - from.line
    },
    *end(fault) {
      const offset = received - held
      if (fault !== undefined) {
        const rest = head ?? Buffer.concat(pieces)
        yield {
          bytes: rest,
          start: 0,
          end: rest.length,
          offset,
          lines: [{ bytes: rest, start: 0, end: rest.length, line, offset, fault }],
        }
        if (held > 0) line++
      } else if (held > 0) {
        yield* finishHeld(Buffer.alloc(0))
      }
      pieces = []
      head = undefined
      held = 0
      tally.lines = line - from.line
    },
    held: () => held,
    received: () => received,
  }
}

/** The head of a line in pieces, with room for a byte order mark that does not count. */
function headOf(pieces: readonly Buffer[]): Buffer {
  const first: Buffer[] = []
  let length = 0
  for (const piece of pieces) {
    if (length >= HEAD_BYTES + 3) break
    first.push(piece.subarray(0, HEAD_BYTES + 3 - length))
    length += piece.length
  }
  return Buffer.concat(first)
}

function hasByteOrderMark(bytes: Buffer, offset: number): boolean {
  return offset === 0 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
}

function isBlank(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = bytes[at]
    if (byte !== 32 && byte !== 9 && byte !== CARRIAGE_RETURN) return false
  }
  return true
}

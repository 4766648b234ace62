import { LIST_KEYS } from './container.ts'
import { type ByteRange, type ElementRanges, elementRanges, memberRange } from './elements.ts'
import { type Line, type LineBatch, splitLines } from './lines.ts'
import { dead } from './outcome.ts'

/**
 * An input is either lines, or JSON documents spread over many lines (a pretty-printed array, several objects one after
 * another, with or without line breaks between them). The first line decides: when it opens a bracket and does not parse
 * by itself, the input is documents until something in it cannot be one; from there on it is lines for good, so that no
 * byte is looked at more than twice, whatever the input.
 */

/** Longest document over many lines, in bytes. */
export const DEFAULT_MAX_DOCUMENT_BYTES = 256 * 1024 * 1024
const HEAD_BYTES = 64 * 1024

export interface DocumentOptions {
  readonly maxDocumentBytes: number
  readonly maxLineBytes: number
}

/** Takes a line, or a document as one long line. */
export type Give = (line: Line) => void

interface Collecting {
  readonly scanner: BracketScanner
  pieces: Buffer[]
  length: number
  readonly line: number
  readonly offset: number
  /** Set when the document is too long to keep: its first bytes. */
  head: Buffer | undefined
}

export class DocumentAssembler {
  private mode: 'undecided' | 'documents' | 'lines' = 'undecided'
  private collecting: Collecting | undefined
  private readonly options: DocumentOptions
  private readonly give: Give

  constructor(options: DocumentOptions, give: Give) {
    this.options = options
    this.give = give
  }

  /** Offset of a document that has begun and not ended, undefined between documents. */
  openSince(): number | undefined {
    return this.collecting?.offset
  }

  /**
   * Gives the lines and documents of a batch. Pauses after each, so that whoever takes them can hand on what has become
   * too much: one line may hold millions of documents.
   */
  *push(batch: LineBatch): Generator<void> {
    let index = 0
    let at = batch.start
    // Once for the batch: asked for every document, a batch of small ones would be searched as often as it has lines.
    const unreadable = batch.lines.find((line) => line.fault !== undefined)
    while (index < batch.lines.length || this.collecting !== undefined) {
      if (this.mode === 'lines') {
        yield* this.giveLines(batch, index, at)
        return
      }
      if (this.collecting === undefined) {
        const line = batch.lines[index]
        if (line === undefined) return
        if (!this.opensDocument(line, Math.max(at, line.start))) {
          this.mode = 'lines'
          continue
        }
        at = Math.max(at, line.start)
        this.mode = 'documents'
        this.begin(line.line, line.offset + at - line.start)
      }
      const end = yield* this.collect(batch, at, index, unreadable)
      if (end < 0) return
      at = skipBlank(batch.bytes, end, batch.end)
      while (isUsedUp(batch.lines[index], at)) index++
    }
  }

  /** The end of the input. A document that is cut gives its whole elements; what is no document after all, its lines. Pauses as `push` does. */
  *end(): Generator<void> {
    const open = this.collecting
    this.collecting = undefined
    if (open === undefined) return
    const bytes = Buffer.concat(open.pieces)
    const whole = open.head === undefined ? savedElements(bytes) : []
    if (open.head !== undefined) {
      this.giveTooLarge(open)
    } else if (whole.length > 0) {
      const fault = dead('read', 'truncated-document', 'the input ends inside a JSON document')
      this.give({ bytes, start: 0, end: bytes.length, line: open.line, offset: open.offset, fault })
    } else {
      yield* this.giveAsLines(bytes, open)
    }
  }

  private opensDocument(line: Line, at: number): boolean {
    if (line.fault !== undefined) return false
    const first = line.bytes[skipBlank(line.bytes, at, line.end)]
    if (first !== OPEN_OBJECT && first !== OPEN_ARRAY) return false
    if (this.mode === 'documents') return true
    // Looked at, not parsed: a whole file on one line would otherwise be parsed twice.
    const scanner = new BracketScanner()
    const end = scanner.advance(line.bytes, at, line.end)
    if (end < 0) return !scanner.broken()
    // Another document right behind it; anything else (`[info] text`) is a line of its own kind.
    const rest = skipBlank(line.bytes, end, line.end)
    const next = line.bytes[rest]
    return rest < line.end && (next === OPEN_OBJECT || next === OPEN_ARRAY)
  }

  private begin(line: number, offset: number): void {
    this.collecting = { scanner: new BracketScanner(), pieces: [], length: 0, line, offset, head: undefined }
  }

  /**
   * Goes on with the open document from `at`. Where it ended in this batch, or -1 when the batch is used up. `unreadable`:
   * first line of the batch that has a fault.
   */
  private *collect(
    batch: LineBatch,
    at: number,
    index: number,
    unreadable: Line | undefined,
  ): Generator<void, number> {
    const open = this.collecting
    if (open === undefined) return at
    const cut = unreadable !== undefined && isCut(unreadable.fault?.reason ?? '')
    // A line that was dropped for its length is a hole: no document goes on behind it.
    const hole = unreadable !== undefined && !cut
    const limit = hole ? batch.start + unreadable.offset - batch.offset : batch.end
    // Scanned in two parts where the document becomes too large, so that nothing depends on how the input came in chunks.
    const room = open.head === undefined ? this.options.maxDocumentBytes - open.length : limit
    const stop = Math.min(limit, at + room)
    let from = at
    let end = open.scanner.advance(batch.bytes, at, stop)
    if (end < 0 && stop < limit && !open.scanner.broken()) {
      keep(open, batch.bytes.subarray(at, stop))
      open.head = headOf(open.pieces)
      open.pieces = []
      from = stop
      end = open.scanner.advance(batch.bytes, stop, limit)
    }
    if (open.scanner.broken() || (end < 0 && hole)) {
      yield* this.giveUp(open, batch, index, at, open.scanner.broken() ? open.scanner.failedAt : limit)
      return -1
    }
    keep(open, batch.bytes.subarray(from, end < 0 ? limit : end))
    if (end < 0) {
      if (cut) {
        this.collecting = undefined
        const bytes = Buffer.concat(open.pieces)
        const { line, offset } = open
        if (open.head !== undefined) this.giveTooLarge(open)
        this.give({ bytes, start: 0, end: bytes.length, line, offset, fault: unreadable.fault })
      }
      return -1
    }
    this.collecting = undefined
    if (open.head !== undefined) {
      this.giveTooLarge(open)
    } else {
      const [only] = open.pieces
      const bytes = open.pieces.length === 1 && only !== undefined ? only : Buffer.concat(open.pieces)
      this.give({
        bytes,
        start: 0,
        end: bytes.length,
        line: open.line,
        offset: open.offset,
        fault: undefined,
      })
    }
    yield
    return end
  }

  /** It was no document: what was collected and the rest of the batch are lines. */
  private *giveUp(
    open: Collecting,
    batch: LineBatch,
    index: number,
    at: number,
    failedAt: number,
  ): Generator<void> {
    this.collecting = undefined
    this.mode = 'lines'
    if (open.head === undefined) {
      yield* this.giveAsLines(Buffer.concat(open.pieces), open)
      yield* this.giveLines(batch, index, at)
      return
    }
    // What was dropped for its size cannot be given again: lines go on where it failed.
    let next = index
    while (next < batch.lines.length - 1 && isUsedUp(batch.lines[next], failedAt - 1)) next++
    const length = (batch.lines[next]?.offset ?? open.offset) - open.offset
    if (length > 0) this.giveTooLarge({ ...open, length })
    yield* this.giveLines(batch, next, at)
  }

  private *giveAsLines(
    bytes: Buffer,
    from: { readonly offset: number; readonly line: number },
  ): Generator<void> {
    const { maxLineBytes } = this.options
    for (const batch of splitLines(bytes, { offset: from.offset, line: from.line, maxLineBytes })) {
      for (const line of batch.lines) {
        this.give(line)
        yield
      }
    }
  }

  /** The lines of a batch from `index`; the first may already be used up to `at`. */
  private *giveLines(batch: LineBatch, index: number, at: number): Generator<void> {
    for (let i = index; i < batch.lines.length; i++) {
      const line = batch.lines[i]
      if (line === undefined) continue
      const rest = at > line.start && (line.fault === undefined || isCut(line.fault.reason))
      this.give(rest ? { ...line, start: at, offset: line.offset + at - line.start } : line)
      yield
    }
  }

  private giveTooLarge(open: Collecting): void {
    const bytes = open.head ?? Buffer.alloc(0)
    const detail = `${open.length} bytes, the limit is ${this.options.maxDocumentBytes}`
    this.give({
      bytes,
      start: 0,
      end: bytes.length,
      line: open.line,
      offset: open.offset,
      fault: dead('container', 'document-too-large', detail),
    })
  }
}

const isUsedUp = (line: Line | undefined, at: number): boolean =>
  line !== undefined && line.fault === undefined && line.end <= at

function keep(open: Collecting, bytes: Buffer): void {
  open.length += bytes.length
  if (open.head === undefined) open.pieces.push(bytes)
}

function headOf(pieces: readonly Buffer[]): Buffer {
  const first: Buffer[] = []
  let length = 0
  for (const piece of pieces) {
    if (length >= HEAD_BYTES) break
    first.push(piece.subarray(0, HEAD_BYTES - length))
    length += piece.length
  }
  return Buffer.concat(first)
}

/** Faults that mean: this is all there is, and it was good so far. */
export const isCut = (reason: string): boolean =>
  reason === 'truncated-gzip' || reason === 'corrupt-gzip' || reason === 'truncated-document'

/** Ranges of the whole elements of a document that was cut: of an array, or of the list in a known container. */
export function savedElements(bytes: Buffer): ElementRanges {
  const all: ByteRange = { start: 0, end: bytes.length }
  const first = bytes[skipBlank(bytes, 0, bytes.length)]
  if (first === OPEN_ARRAY) return elementRanges(bytes, all)
  if (first !== OPEN_OBJECT) return []
  for (const key of [...LIST_KEYS, 'items']) {
    const list = memberRange(bytes, all, key, { cut: true })
    const ranges = list === undefined ? [] : elementRanges(bytes, list)
    if (ranges.length > 0) return ranges
  }
  return []
}

const QUOTE = 34
const COMMA = 44
const COLON = 58
const OPEN_ARRAY = 91
const BACKSLASH = 92
const OPEN_OBJECT = 123

function skipBlank(bytes: Buffer, from: number, limit: number): number {
  let at = from
  while (at < limit && (bytes[at] ?? 0) <= 32) at++
  return at
}

/**
 * Finds the end of a document that arrives in pieces, and notices early when it cannot be one: a control character inside a
 * string, or a bracket opened right after a value. The second is what a torn first line of an NDJSON file looks like.
 */
class BracketScanner {
  /** Where it could no longer be a document, in the bytes given last; -1 while it can. */
  failedAt = -1
  private depth = 0
  private inString = false
  private escaped = false
  private previous = 0

  broken(): boolean {
    return this.failedAt >= 0
  }

  /** Index after the closing bracket, or -1 when the document goes on. */
  advance(bytes: Buffer, from: number, limit: number): number {
    for (let at = from; at < limit; at++) {
      const byte = bytes[at] ?? 0
      if (this.inString) {
        if (this.escaped) this.escaped = false
        else if (byte === BACKSLASH) this.escaped = true
        else if (byte === QUOTE) this.inString = false
        else if (byte < 32) return this.fail(at)
        continue
      }
      if (byte <= 32) continue
      if (byte === QUOTE) this.inString = true
      else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
        if (this.depth > 0 && !this.mayOpen()) return this.fail(at)
        this.depth++
      } else if (byte === 125 || byte === 93) {
        this.depth--
        if (this.depth === 0) return at + 1
      }
      this.previous = byte
    }
    return -1
  }

  private mayOpen(): boolean {
    return this.previous === COMMA || this.previous === COLON || this.previous === OPEN_ARRAY
  }

  private fail(at: number): number {
    this.failedAt = at
    return -1
  }
}

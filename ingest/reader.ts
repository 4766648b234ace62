import { isUtf8 } from 'node:buffer'
import { createHash } from 'node:crypto'
import type { Draft } from './activity.ts'
import { isJsonObject, notJson, parseJson, startsLikeJson, type Unwrapped, unwrap } from './container.ts'
import { DEFAULT_MAX_DOCUMENT_BYTES, DocumentAssembler, isCut, savedElements } from './documents.ts'
import { type Place, recordBytes } from './elements.ts'
import { uncompressed } from './gzip.ts'
import { createLineTally, DEFAULT_MAX_LINE_BYTES, type Line, type LineTally, readLines } from './lines.ts'
import { isFuture } from './normalise.ts'
import { type DeadLetter, type DeadVerdict, dead, type Verdict } from './outcome.ts'
import type { JsonObject, Source, SourceContext } from './source.ts'

/**
 * Bytes to judged records: lines and documents, text, JSON, containers, source, Draft. One array per piece of input; no
 * promise, no closure and no copy per record. Every record ends in exactly one verdict.
 */

/** A record and what became of it. */
export interface ReadRecord {
  /** The source that recognised it (or was forced); undefined when none did. */
  readonly source: Source | undefined
  readonly verdict: Verdict<Draft>
  /**
   * Its place in event time, epoch ms: the Draft's own time when accepted. A filtered or dead record has none and takes that
   * of the record before it (0 at the start), so that it stays where it was when inputs are merged by time.
   */
  readonly time: number
  /** Name of the input: file path, request id. */
  readonly origin: string
  /** 1-based line (of a document: its first) in the uncompressed input. */
  readonly line: number
  /** Byte offset in the uncompressed input where the line or document starts. */
  readonly offset: number
  /** Ordinal of the record in its line or document. */
  readonly index: number
  /** The original bytes and why they were refused; present exactly when the verdict is dead. */
  readonly letter: DeadLetter | undefined
}

/** What recognises records: the registry of sources, or a part of it. */
export interface SourceRecogniser {
  readonly recognise: (record: JsonObject) => Source | undefined
  readonly recogniseLine: (
    line: string,
  ) => { readonly source: Source; readonly record: JsonObject } | undefined
}

export interface InterpretOptions {
  readonly registry: SourceRecogniser
  /** `--source`: only this source is asked. */
  readonly source?: Source | undefined
  /** Stream name for records that do not carry one. */
  readonly tenant: string
  /** Arrival time, epoch ms. */
  readonly arrival: number
  /** Name of the input, for positions. */
  readonly origin: string
}

export interface ReadOptions extends InterpretOptions {
  /** Longest line, bytes; default 64 MiB. */
  readonly maxLineBytes?: number | undefined
  /** Longest JSON document over many lines, bytes; default 256 MiB. */
  readonly maxDocumentBytes?: number | undefined
  /** Most uncompressed bytes of the whole input; default: no limit. Set it for input from strangers (gzip bombs). */
  readonly maxInputBytes?: number | undefined
  /** See LineOptions. */
  readonly growing?: (() => Promise<boolean> | boolean) | undefined
  /** Filled in while reading. */
  readonly tally?: ReadTally | undefined
}

/** What went by. `read = accepted + filtered + dead`, always. */
export interface ReadTally extends LineTally {
  read: number
  accepted: number
  filtered: number
  dead: number
}

export const createReadTally = (): ReadTally => ({
  ...createLineTally(),
  read: 0,
  accepted: 0,
  filtered: 0,
  dead: 0,
})

/** Longest array that `readRecords` yields. */
const MAX_BATCH = 4096

/**
 * The records of an input, in its order, in arrays of at most 4096. gzip is recognised by its magic bytes. Throws
 * IngestError (`binary-input`, `utf-16-input`, `input-too-large`) and what the input throws, after the records before it.
 */
export async function* readRecords(
  input: AsyncIterable<Buffer>,
  options: ReadOptions,
): AsyncGenerator<readonly ReadRecord[]> {
  const tally = options.tally ?? createReadTally()
  const interpreter = createInterpreter(options)
  const maxLineBytes = options.maxLineBytes ?? DEFAULT_MAX_LINE_BYTES
  const maxDocumentBytes = options.maxDocumentBytes ?? DEFAULT_MAX_DOCUMENT_BYTES
  let records: ReadRecord[] = []
  const assembler = new DocumentAssembler({ maxLineBytes, maxDocumentBytes }, (line) =>
    interpreter.interpretLine(line, records),
  )
  function* flush(): Generator<readonly ReadRecord[]> {
    const full = records
    if (full.length === 0) return
    records = []
    count(full, tally)
    if (full.length <= MAX_BATCH) yield full
    else for (let at = 0; at < full.length; at += MAX_BATCH) yield full.slice(at, at + MAX_BATCH)
  }
  function* handOver(work: Generator<void>): Generator<readonly ReadRecord[]> {
    while (work.next().done !== true) if (records.length >= MAX_BATCH) yield* flush()
    yield* flush()
  }
  const { growing, maxInputBytes } = options
  let grew: boolean | undefined
  const askOnce = async (): Promise<boolean> => {
    grew ??= growing === undefined ? false : await growing()
    return grew
  }
  for await (const batch of readLines(uncompressed(input), {
    maxLineBytes,
    maxInputBytes,
    growing: askOnce,
    tally,
  })) {
    yield* handOver(assembler.push(batch))
  }
  const open = assembler.openSince()
  if (open !== undefined && (await askOnce())) {
    // A document that is still being written: leave all of it, as a half line is left.
    const end = tally.bytes + (tally.unread?.bytes ?? 0)
    tally.unread = { offset: open, bytes: end - open }
    tally.bytes = open
    return
  }
  yield* handOver(assembler.end())
}

function count(records: readonly ReadRecord[], tally: ReadTally): void {
  tally.read += records.length
  for (const { verdict } of records) {
    if (verdict.outcome === 'accepted') tally.accepted++
    else if (verdict.outcome === 'filtered') tally.filtered++
    else tally.dead++
  }
}

export interface Interpreter {
  /** Where and when the lines that follow came from, for inputs made of many pieces. */
  readonly turnTo: (piece: { readonly origin: string; readonly arrival: number }) => void
  /** Appends the records of one line (or of one document, as one long line). Never throws. */
  readonly interpretLine: (line: Line, records: ReadRecord[]) => void
}

/** Interprets the lines of one input; also for inputs that are not files, such as the messages of a topic. */
export function createInterpreter(options: InterpretOptions): Interpreter {
  let { origin } = options
  const recogniser = createRecogniser(options)
  // One context for all records: `read` is synchronous, so the hash it asks for is that of the record at hand.
  let hashed: JsonObject | string = ''
  const context = {
    tenant: options.tenant,
    arrival: options.arrival,
    recordHash: () => recordHash(hashed),
  } satisfies SourceContext
  let time = 0
  let line: Line
  let index = 0
  let records: ReadRecord[]

  function judge(source: Source, record: JsonObject, text: string, place: Place | undefined): void {
    hashed = text === '' ? record : text
    let verdict: Verdict<Draft>
    try {
      verdict = source.read(record, context)
    } catch (error) {
      verdict = dead(
        'normalise',
        'source-fault',
        `${source.id}: ${error instanceof Error ? error.name : 'unknown'}`,
      )
    }
    if (verdict.outcome === 'accepted') {
      const own = verdict.value.time
      if (Number.isFinite(own)) {
        if (!isFuture(own, context.arrival)) {
          time = own
          push(source, verdict, own, undefined)
          return
        }
        // A clock that runs ahead must not move a baseline into the future; kept, to be read again when its time has come.
        verdict = dead(
          'normalise',
          'time-in-future',
          `${source.id}: more than 10 minutes ahead of its arrival`,
        )
      } else verdict = dead('normalise', 'bad-time', `${source.id}: the time is not a number`)
    }
    if (verdict.outcome === 'filtered') push(source, verdict, time, undefined)
    else bury(source, verdict, place)
  }

  function push(
    source: Source | undefined,
    verdict: Verdict<Draft>,
    at: number,
    letter: DeadLetter | undefined,
  ): void {
    records.push({ source, verdict, time: at, origin, line: line.line, offset: line.offset, index, letter })
    index++
  }

  function bury(source: Source | undefined, verdict: DeadVerdict, place: Place | undefined): void {
    const original = place === undefined ? lineBytes() : recordBytes(place)
    const position = { origin, line: line.line, offset: line.offset, index }
    // Copied: a slice would keep its whole slab alive for as long as the dead letter waits.
    const letter: DeadLetter = { verdict, position, source: source?.id ?? '', bytes: Buffer.from(original) }
    push(source, verdict, time, letter)
  }

  const lineBytes = (): Buffer => line.bytes.subarray(line.start, line.end)

  function interpretText(text: string, place: Place | undefined): void {
    if (!startsLikeJson(text)) {
      interpretPlain(text, place)
      return
    }
    const value = parseJson(text)
    if (value === undefined) {
      interpretPlain(text, place)
      return
    }
    if (isJsonObject(value)) {
      const source = recogniser.recognise(value)
      if (source !== undefined) {
        judge(source, value, '', place)
        return
      }
    }
    const found = unwrap(value, place ?? { kind: 'root', bytes: lineBytes() }, recogniser)
    if (isUnknown(found)) {
      // Some text formats have a JSON dress (journald): their source reads the line itself.
      const known = recogniser.recogniseLine(text)
      if (known !== undefined) {
        judge(known.source, known.record, text, place)
        return
      }
    }
    for (const item of found) {
      if (item.kind === 'record') judge(item.source, item.record, item.text, item.place)
      else if (item.verdict.outcome === 'filtered') push(undefined, item.verdict, time, undefined)
      else if (item.verdict.outcome === 'dead') bury(undefined, item.verdict, item.place)
    }
  }

  function interpretPlain(text: string, place: Place | undefined): void {
    if (text.includes('\0')) {
      bury(options.source, dead('read', 'nul-byte', 'a NUL byte in a line of text'), place)
      return
    }
    const known = recogniser.recogniseLine(text)
    if (known === undefined) bury(options.source, notJson(text), place)
    else judge(known.source, known.record, text, place)
  }

  /** A cut document: its whole elements are records like any other, the rest is the dead letter. */
  function interpretFault(fault: DeadVerdict): void {
    const bytes = lineBytes()
    let rest = 0
    if (isCut(fault.reason)) {
      const ranges = savedElements(bytes)
      for (let at = 0; at + 1 < ranges.length; at += 2) {
        const end = ranges[at + 1] ?? bytes.length
        interpretBytes(bytes.subarray(ranges[at] ?? 0, end))
        rest = end
      }
    }
    bury(undefined, fault, { kind: 'root', bytes: bytes.subarray(rest) })
  }

  function interpretBytes(bytes: Buffer): void {
    const place: Place = { kind: 'root', bytes }
    if (isUtf8(bytes)) interpretText(bytes.toString(), place)
    else bury(options.source, invalidUtf8, place)
  }

  return {
    turnTo(piece) {
      origin = piece.origin
      context.arrival = piece.arrival
    },
    interpretLine(given, into) {
      line = given
      index = 0
      records = into
      if (line.fault !== undefined) {
        interpretFault(line.fault)
        return
      }
      const text = line.bytes.toString('utf8', line.start, line.end)
      // Decoding marks what it could not decode; only then is it worth asking whether the mark was in the input.
      if (text.includes('\ufffd') && !isUtf8(lineBytes())) bury(options.source, invalidUtf8, undefined)
      else interpretText(text, undefined)
    },
  }
}

const invalidUtf8 = dead('read', 'invalid-utf8', 'the line is not valid UTF-8')

function isUnknown(found: readonly Unwrapped[]): boolean {
  const [only] = found
  if (found.length !== 1 || only === undefined || only.kind !== 'refused') return false
  return only.verdict.outcome === 'dead' && only.verdict.reason === 'unrecognised'
}

/** The registry, asked in the cheapest order: neighbours in a log are of one format. A guard that throws recognises nothing. */
function createRecogniser(options: InterpretOptions) {
  const { registry, source: forced } = options
  let last: Source | undefined
  const recognise = (record: JsonObject): Source | undefined => {
    try {
      if (forced !== undefined)
        return forced.format === 'json' && forced.recognises(record) ? forced : undefined
      if (last?.format === 'json' && last.recognises(record)) return last
      const found = registry.recognise(record)
      if (found !== undefined) last = found
      return found
    } catch {
      return undefined
    }
  }
  const recogniseLine = (text: string) => {
    try {
      const source = forced ?? last
      if (source?.parseLine !== undefined) {
        const record = source.parseLine(text)
        if (record !== null) return { source, record }
      }
      if (forced !== undefined) return undefined
      const found = registry.recogniseLine(text)
      if (found !== undefined) last = found.source
      return found
    } catch {
      return undefined
    }
  }
  return { recognise, recogniseLine, forced }
}

/**
 * 128 bits of SHA-256 of a record, hex. An object is hashed in its JSON form without white space, so that it has one hash
 * whether it stood on a line, in an array or inside a string of an envelope.
 */
function recordHash(record: JsonObject | string): string {
  const text = typeof record === 'string' ? record.trimEnd() : JSON.stringify(record)
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}

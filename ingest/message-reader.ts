import { gunzipSync } from 'node:zlib'
import type { Message, TopicPartition } from './broker.ts'
import { DEFAULT_MAX_DOCUMENT_BYTES, DocumentAssembler } from './documents.ts'
import { MAX_ELEMENTS } from './elements.ts'
import { isGzip } from './gzip.ts'
import { DEFAULT_MAX_LINE_BYTES, splitLines } from './lines.ts'
import { type DeadVerdict, dead } from './outcome.ts'
import { createInterpreter, type ReadRecord, type SourceRecogniser } from './reader.ts'
import type { Source } from './source.ts'

/**
 * The records of one message of a raw topic: one record or many, any container, gzip or not. Synchronous, because a message
 * is small and there are very many: nothing is awaited for an event.
 */
export type MessageReader = (message: Message, place: TopicPartition) => ReadRecord[]

export interface MessageReaderOptions {
  readonly registry: SourceRecogniser
  /** The source of the topic; absent: every record is recognised by its shape. */
  readonly source?: Source | undefined
  readonly tenant: string
  /** Epoch ms now. A producer's clock that runs ahead must not excuse events of the future. */
  readonly now: () => number
}

/** Most bytes that a gzipped message may hold. Brokers refuse messages over a few MiB; gzip makes a thousandfold of them. */
const MAX_UNCOMPRESSED_BYTES = 64 * 1024 * 1024

export function createMessageReader(options: MessageReaderOptions): MessageReader {
  const { registry, source, tenant } = options
  const interpreter = createInterpreter({ registry, source, tenant, origin: '', arrival: 0 })
  return function read(message, place) {
    const records: ReadRecord[] = []
    const { value } = message
    // A tombstone, or a message that only has a key: nothing was logged.
    if (value === null || value.length === 0) return records
    const origin = `${place.topic}/${place.partition}@${message.offset}`
    interpreter.turnTo({ origin, arrival: Math.min(message.timestamp, options.now()) })
    const fault = isGzip(value) ? inflated(value) : undefined
    const bytes = fault !== undefined && 'bytes' in fault ? fault.bytes : value
    if (fault !== undefined && !('bytes' in fault)) {
      const line = { bytes: value, start: 0, end: value.length, line: 1, offset: 0, fault }
      interpreter.interpretLine(line, records)
      return records
    }
    // Nearly all messages: one record on one line.
    if (bytes.indexOf(10) < 0) {
      interpreter.interpretLine(
        { bytes, start: 0, end: bytes.length, line: 1, offset: 0, fault: undefined },
        records,
      )
      return records
    }
    const limits = { maxLineBytes: DEFAULT_MAX_LINE_BYTES, maxDocumentBytes: DEFAULT_MAX_DOCUMENT_BYTES }
    const assembler = new DocumentAssembler(limits, (line) => interpreter.interpretLine(line, records))
    const whole = { bytes, start: 0, end: bytes.length, line: 1, offset: 0 }
    const taken = (work: Generator<void>): boolean => {
      while (work.next().done !== true) if (records.length > MAX_ELEMENTS) return false
      return true
    }
    for (const batch of splitLines(bytes, { offset: 0, line: 1, maxLineBytes: DEFAULT_MAX_LINE_BYTES }))
      if (!taken(assembler.push(batch))) {
        interpreter.interpretLine({ ...whole, fault: tooMany }, records)
        return records
      }
    if (!taken(assembler.end())) interpreter.interpretLine({ ...whole, fault: tooMany }, records)
    return records
  }
}

/** What is kept is the whole message: its first records come again as duplicates when it is read again. */
const tooMany = dead('container', 'too-many-elements', `more than ${MAX_ELEMENTS} records in a message`)

function inflated(value: Buffer): { readonly bytes: Buffer } | DeadVerdict {
  try {
    return { bytes: gunzipSync(value, { maxOutputLength: MAX_UNCOMPRESSED_BYTES }) }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (code === 'ERR_BUFFER_TOO_LARGE')
      return dead('read', 'input-too-large', `gzip of more than ${MAX_UNCOMPRESSED_BYTES} bytes`)
    return dead(
      'read',
      code === 'Z_BUF_ERROR' ? 'truncated-gzip' : 'corrupt-gzip',
      'the message is no whole gzip',
    )
  }
}

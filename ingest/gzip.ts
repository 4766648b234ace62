import { constants, crc32, createInflateRaw, type InflateRaw } from 'node:zlib'
import { IngestError } from './ingest-error.ts'

/**
 * Transparent gzip, told by its magic bytes and never by a name.
 *
 * Node's own Gunzip loses the last decoded bytes when the data end in an error (a cut, or garbage after the end): the error
 * overtakes the output. Logs are cut in the real world, and everything before the cut is good. So the container is read
 * here, member by member, the engine only inflates, and output is always handed on before an error is thrown.
 */

/** Compressed bytes per step. Deflate expands at most 1032-fold, which bounds what one step can hold (16 MiB). */
const STEP_BYTES = 16 * 1024
const OUTPUT_BYTES = 256 * 1024
/** Longest header (name and comment included) that is taken seriously. */
const MAX_HEADER_BYTES = 64 * 1024
const TRAILER_BYTES = 8

export const isGzip = (bytes: Buffer): boolean =>
  bytes.length >= 3 && bytes[0] === 0x1f && bytes[1] === 0x8b && bytes[2] === 8

/**
 * The bytes of an input, uncompressed when they are gzip (any number of members, zero padding allowed), unchanged otherwise.
 * Throws IngestError `truncated-gzip`, `corrupt-gzip` or `trailing-garbage` after the good data were given.
 */
export async function* uncompressed(input: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const source = new ByteQueue(input[Symbol.asyncIterator]())
  try {
    await source.fill(3)
    if (isGzip(source.bytes)) {
      yield* gunzip(source)
      return
    }
    while (source.bytes.length > 0 || (await source.pull())) yield source.take(source.bytes.length)
  } finally {
    await source.close()
  }
}

/** Bytes pulled from an input and not yet used. */
class ByteQueue {
  bytes: Buffer = Buffer.alloc(0)
  /** Bytes taken so far: the compressed offset of `bytes`. */
  taken = 0
  private ended = false
  private readonly input: AsyncIterator<Buffer>

  constructor(input: AsyncIterator<Buffer>) {
    this.input = input
  }

  /** Adds the next chunk; false at the end of the input. */
  async pull(): Promise<boolean> {
    while (!this.ended) {
      const next = await this.input.next()
      if (next.done === true) this.ended = true
      else if (next.value.length > 0) {
        this.bytes = this.bytes.length === 0 ? next.value : Buffer.concat([this.bytes, next.value])
        return true
      }
    }
    return false
  }

  /** At least `length` bytes, unless the input ends before. */
  async fill(length: number): Promise<boolean> {
    while (this.bytes.length < length) if (!(await this.pull())) return false
    return true
  }

  take(length: number): Buffer {
    const bytes = this.bytes.subarray(0, length)
    this.bytes = this.bytes.subarray(length)
    this.taken += bytes.length
    return bytes
  }

  async close(): Promise<void> {
    this.ended = true
    await this.input.return?.()
  }
}

async function* gunzip(source: ByteQueue): AsyncGenerator<Buffer> {
  do {
    await skipHeader(source)
    yield* inflateMember(source)
    await skipPadding(source)
    await source.fill(3)
  } while (isGzip(source.bytes))
  if (source.bytes.length > 0) {
    throw new IngestError(
      'trailing-garbage',
      `bytes after the end of the gzip data, from compressed offset ${source.taken}`,
    )
  }
}

async function skipHeader(source: ByteQueue): Promise<void> {
  for (;;) {
    const length = headerLength(source.bytes)
    if (length > 0) {
      source.take(length)
      return
    }
    if (source.bytes.length > MAX_HEADER_BYTES) throw corrupt(source, 'header too long')
    if (!(await source.pull())) throw truncated(source)
  }
}

/** Length of a gzip header (RFC 1952, 2.3), 0 when more bytes are needed. */
function headerLength(bytes: Buffer): number {
  if (bytes.length < 10) return 0
  const flags = bytes[3] ?? 0
  let at = 10
  if ((flags & 4) !== 0) {
    if (bytes.length < at + 2) return 0
    at += 2 + bytes.readUInt16LE(at)
  }
  for (const flag of [8, 16]) {
    if ((flags & flag) === 0) continue
    const end = bytes.indexOf(0, at)
    if (end < 0) return 0
    at = end + 1
  }
  if ((flags & 2) !== 0) at += 2
  return at <= bytes.length ? at : 0
}

async function* inflateMember(source: ByteQueue): AsyncGenerator<Buffer> {
  const inflater = new MemberInflater()
  let crc = 0
  let size = 0
  try {
    while (!inflater.ended) {
      if (source.bytes.length === 0 && !(await source.pull())) throw truncated(source)
      const step = source.bytes.subarray(0, STEP_BYTES)
      const consumed = await inflater.write(step)
      source.take(consumed)
      for (const output of inflater.drain()) {
        crc = crc32(output, crc)
        size = (size + output.length) % 0x1_0000_0000
        yield output
      }
      if (inflater.error !== undefined) throw corrupt(source, inflater.error.message)
    }
  } finally {
    inflater.close()
  }
  if (!(await source.fill(TRAILER_BYTES))) throw truncated(source)
  const trailer = source.take(TRAILER_BYTES)
  if (trailer.readUInt32LE(0) !== crc || trailer.readUInt32LE(4) !== size) {
    throw corrupt(source, 'checksum or length does not match')
  }
}

/** Zero bytes after a member are padding (tar, block devices). */
async function skipPadding(source: ByteQueue): Promise<void> {
  do {
    let zeros = 0
    while (source.bytes[zeros] === 0) zeros++
    source.take(zeros)
  } while (source.bytes.length === 0 && (await source.pull()))
}

const truncated = (source: ByteQueue): IngestError =>
  new IngestError('truncated-gzip', `the gzip data end early, at compressed offset ${source.taken}`)

const corrupt = (source: ByteQueue, why: string): IngestError =>
  new IngestError('corrupt-gzip', `invalid gzip data near compressed offset ${source.taken}: ${why}`)

/** Raw inflate in steps: write compressed bytes, then drain. Knows where the member ended inside the last step. */
class MemberInflater {
  ended = false
  error: Error | undefined
  private output: Buffer[] = []
  private readonly stream: InflateRaw
  private wake: () => void = () => {}

  constructor() {
    this.stream = createInflateRaw({ chunkSize: OUTPUT_BYTES, flush: constants.Z_SYNC_FLUSH })
    // Flowing, so that nothing is buffered inside the stream, where an error would throw it away.
    this.stream.on('data', (chunk: Buffer) => this.output.push(chunk))
    this.stream.on('end', () => {
      this.ended = true
      this.wake()
    })
    this.stream.on('error', (error) => {
      this.error = error
      this.wake()
    })
  }

  /** Resolves with the number of bytes used: fewer than given when the member ended, or on an error. */
  write(bytes: Buffer): Promise<number> {
    const before = this.stream.bytesWritten
    return new Promise((resolve) => {
      this.wake = () => resolve(this.stream.bytesWritten - before)
      // At the end of the member the engine takes no more and never calls back; 'end' wakes us instead.
      this.stream.write(bytes, () => this.wake())
    })
  }

  drain(): Buffer[] {
    const output = this.output
    this.output = []
    return output
  }

  close(): void {
    this.stream.destroy()
  }
}

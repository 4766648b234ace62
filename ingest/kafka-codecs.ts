import { promisify } from 'node:util'
import { gzip, unzip } from 'node:zlib'
import { compress as compressZstd, decompress as decompressZstd, init } from '@bokuweb/zstd-wasm'
import kafkajs from 'kafkajs'
import { compressFrame, decompressFrame } from 'lz4-napi'
import { compress as compressSnappy, uncompress as uncompressSnappy } from 'snappy'
import { measureLz4Frame } from './lz4-frame.ts'
import { zstdFrames } from './zstd-frame.ts'

/**
 * The codecs of Kafka's record batches that kafkajs leaves out, in the framings that the Java client writes: xerial blocks for
 * snappy, LZ4 frames, zstd frames without a declared size. gzip is replaced because kafkajs' own has no limit.
 *
 * What a batch unpacks to is bounded: a producer must not be able to take the process down with a thousandfold of zeros.
 */
export const MAX_BATCH_BYTES = 64 * 1024 * 1024

/** A batch that cannot be unpacked. The partition stops there, because the records in it have no boundaries to go on from. */
export class CodecError extends Error {
  override readonly name = 'CodecError'
  readonly code: 'undecodable-batch' | 'oversized-batch'

  constructor(code: CodecError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

type Codec = () => {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>
  decompress(buffer: Buffer): Promise<Buffer>
}

const codec =
  (
    name: string,
    compress: (plain: Buffer) => Promise<Buffer>,
    /** Throws `CodecError` by itself when it is too much, before it has made it. */
    decompress: (packed: Buffer) => Promise<Buffer>,
  ): Codec =>
  () => ({
    compress: ({ buffer }) => compress(buffer),
    async decompress(packed) {
      try {
        return await decompress(packed)
      } catch (error) {
        if (error instanceof CodecError) throw error
        const message = `A batch compressed with ${name} cannot be unpacked.`
        throw new CodecError('undecodable-batch', message, { cause: error })
      }
    },
  })

const tooLarge = (name: string, cause?: unknown): CodecError =>
  new CodecError(
    'oversized-batch',
    `A batch compressed with ${name} unpacks to more than ${MAX_BATCH_BYTES} bytes.`,
    { cause },
  )

const asyncGzip = promisify(gzip)
const asyncUnzip = promisify(unzip)

// A second `init` corrupts the module (limits.md §7).
let zstdReady: Promise<void> | undefined
const zstd = (): Promise<void> => {
  zstdReady ??= init()
  return zstdReady
}

/** Once per process; again is harmless. */
export function registerCodecs(): void {
  const { CompressionCodecs, CompressionTypes } = kafkajs
  CompressionCodecs[CompressionTypes.GZIP] = codec('gzip', (plain) => asyncGzip(plain), unpackGzip)
  CompressionCodecs[CompressionTypes.Snappy] = codec('snappy', packSnappy, unpackSnappy)
  CompressionCodecs[CompressionTypes.LZ4] = codec('lz4', (plain) => compressFrame(plain), unpackLz4)
  CompressionCodecs[CompressionTypes.ZSTD] = codec('zstd', packZstd, unpackZstd)
}

async function unpackGzip(packed: Buffer): Promise<Buffer> {
  try {
    return await asyncUnzip(packed, { maxOutputLength: MAX_BATCH_BYTES })
  } catch (error) {
    throw error instanceof RangeError ? tooLarge('gzip', error) : error
  }
}

// snappy-java's stream: a magic, two versions, then blocks of a big-endian length and raw snappy.
const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
const XERIAL_HEADER_BYTES = 16
const XERIAL_BLOCK_BYTES = 32 * 1024

async function packSnappy(plain: Buffer): Promise<Buffer> {
  const header = Buffer.alloc(XERIAL_HEADER_BYTES)
  XERIAL.copy(header)
  header.writeInt32BE(1, 8)
  header.writeInt32BE(1, 12)
  const parts: Buffer[] = [header]
  for (let at = 0; at < plain.length; at += XERIAL_BLOCK_BYTES) {
    const block = await compressSnappy(plain.subarray(at, at + XERIAL_BLOCK_BYTES))
    const length = Buffer.alloc(4)
    length.writeInt32BE(block.length)
    parts.push(length, block)
  }
  return Buffer.concat(parts)
}

async function unpackSnappy(packed: Buffer): Promise<Buffer> {
  if (!packed.subarray(0, XERIAL.length).equals(XERIAL)) return unpackBlock(packed, MAX_BATCH_BYTES)
  if (packed.length < XERIAL_HEADER_BYTES) throw new Error('a header without its end')
  const parts: Buffer[] = []
  let room = MAX_BATCH_BYTES
  for (let at = XERIAL_HEADER_BYTES; at < packed.length; ) {
    const length = packed.readInt32BE(at)
    at += 4
    if (length < 0 || at + length > packed.length) throw new Error('a block reaches beyond the batch')
    const part = await unpackBlock(packed.subarray(at, at + length), room)
    room -= part.length
    parts.push(part)
    at += length
  }
  return Buffer.concat(parts)
}

async function unpackBlock(block: Buffer, room: number): Promise<Buffer> {
  if (declaredLength(block) > room) throw tooLarge('snappy')
  const plain = await uncompressSnappy(block, { asBuffer: true })
  return Buffer.isBuffer(plain) ? plain : Buffer.from(plain)
}

/** Raw snappy begins with the length it unpacks to, as a varint. */
function declaredLength(block: Buffer): number {
  let length = 0
  for (let index = 0; index < 5; index++) {
    const byte = block[index] ?? 0
    length += (byte & 0x7f) * 2 ** (7 * index)
    if (byte < 0x80) break
  }
  return length
}

/** Like the Java client, the first frame only. */
async function unpackLz4(packed: Buffer): Promise<Buffer> {
  const { end, bytes } = measureLz4Frame(packed, MAX_BATCH_BYTES)
  if (bytes > MAX_BATCH_BYTES) throw tooLarge('lz4')
  return await decompressFrame(packed.subarray(0, end))
}

async function packZstd(plain: Buffer): Promise<Buffer> {
  await zstd()
  return bufferOf(compressZstd(plain, 3))
}

async function unpackZstd(packed: Buffer): Promise<Buffer> {
  const frames = zstdFrames(packed)
  await zstd()
  const parts: Buffer[] = []
  let room = MAX_BATCH_BYTES
  for (const { start, end, bytes, declared } of frames) {
    if (declared && bytes > room) throw tooLarge('zstd')
    const part = bufferOf(unpackFrame(packed.subarray(start, end), Math.min(bytes, room), bytes > room))
    room -= part.length
    parts.push(part)
  }
  const [only] = parts
  return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts)
}

/** What a frame does not declare is known as a bound only: one that fails with all the room there is had too little. */
function unpackFrame(frame: Buffer, room: number, scarce: boolean): Uint8Array {
  try {
    return decompressZstd(frame, { defaultHeapSize: room })
  } catch (error) {
    throw scarce ? tooLarge('zstd', error) : error
  }
}

/** The same bytes, not a copy. */
const bufferOf = ({ buffer, byteOffset, byteLength }: Uint8Array): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength)

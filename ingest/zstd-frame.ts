/**
 * The frames of a zstd stream and how much each unpacks to, found without unpacking (RFC 8878). The decoder sets aside whatever a
 * frame claims, reads no second frame, and must be told how much room a frame without a size needs.
 */
const MAGIC = 0xfd2fb528
/** Sixteen of them: frames to be skipped. */
const SKIPPABLE = 0x184d2a50
const MAX_BLOCK = 128 * 1024
const DICTIONARY_BYTES = [0, 1, 2, 4] as const

export interface ZstdFrame {
  readonly start: number
  readonly end: number
  /** It unpacks to no more than this: what it declares, or the sum of what its blocks may hold. */
  readonly bytes: number
  readonly declared: boolean
}

/** Throws when `packed` is not whole frames from its first byte to its last. */
export function zstdFrames(packed: Buffer): ZstdFrame[] {
  const frames: ZstdFrame[] = []
  for (let at = 0; at < packed.length; ) {
    const magic = packed.readUInt32LE(at)
    if (magic - (magic % 16) === SKIPPABLE) {
      at += 8 + packed.readUInt32LE(at + 4)
      continue
    }
    if (magic !== MAGIC) throw new Error('no zstd frame')
    const frame = readFrame(packed, at)
    frames.push(frame)
    at = frame.end
  }
  return frames
}

function readFrame(packed: Buffer, start: number): ZstdFrame {
  const descriptor = packed.readUInt8(start + 4)
  const single = (descriptor & 0x20) !== 0
  let at = start + 5
  const window = single ? MAX_BLOCK : windowBytes(packed.readUInt8(at++))
  at += DICTIONARY_BYTES[descriptor & 3] ?? 0
  const sizeBytes = descriptor >> 6 === 0 ? (single ? 1 : 0) : 2 ** (descriptor >> 6)
  const declared = sizeBytes === 0 ? undefined : contentSize(packed, at, sizeBytes)
  at += sizeBytes
  let bound = 0
  for (let last = false; !last; ) {
    const header = packed.readUIntLE(at, 3)
    at += 3
    last = (header & 1) === 1
    const kind = (header >> 1) & 3
    const length = header >> 3
    if (kind === 3) throw new Error('a reserved kind of block')
    // Raw, one byte repeated, or compressed.
    bound += kind === 2 ? Math.min(window, MAX_BLOCK) : length
    at += kind === 1 ? 1 : length
  }
  if ((descriptor & 4) !== 0) at += 4
  if (at > packed.length) throw new Error('a block reaches beyond the stream')
  return { start, end: at, bytes: declared ?? bound, declared: declared !== undefined }
}

function windowBytes(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3))
  return base + (base / 8) * (descriptor & 7)
}

function contentSize(packed: Buffer, at: number, bytes: number): number {
  if (bytes === 8) return Number(packed.readBigUInt64LE(at))
  // Two bytes begin where one ends.
  return packed.readUIntLE(at, bytes) + (bytes === 2 ? 256 : 0)
}

/**
 * How much an LZ4 frame unpacks to, found without unpacking it (LZ4 Frame Format 1.6.x and LZ4 Block Format). The decoder
 * itself knows no limit, and a few megabytes of frame can hold a gigabyte.
 */
const MAGIC = 0x184d2204
const MIN_MATCH = 4
/** No byte of a block stands for more: the lengths of literals and matches go on in bytes of at most 255. */
const MAX_RATIO = 255
const RAW_BLOCK = 0x80000000
/** By the code in the frame's descriptor. */
const BLOCK_BYTES: ReadonlyMap<number, number> = new Map([
  [4, 64 * 1024],
  [5, 256 * 1024],
  [6, 1024 * 1024],
  [7, 4 * 1024 * 1024],
])

export interface Lz4Frame {
  /** Length of the frame itself: what follows is none of it. */
  readonly end: number
  /** It unpacks to no more bytes than this. Exact only if a bound by the number of blocks was above `limit`. */
  readonly bytes: number
}

/** Throws when `packed` does not begin with a whole frame. */
export function measureLz4Frame(packed: Buffer, limit: number): Lz4Frame {
  if (packed.readUInt32LE(0) !== MAGIC) throw new Error('no LZ4 frame')
  const flags = packed.readUInt8(4)
  const blockBytes = BLOCK_BYTES.get((packed.readUInt8(5) >> 4) & 7)
  if (flags >> 6 !== 1 || blockBytes === undefined) throw new Error('an unknown kind of LZ4 frame')
  const [hasDictionary, hasChecksum, hasSize, hasBlockChecksums] = [
    flags & 1,
    flags & 4,
    flags & 8,
    flags & 16,
  ]
  const declared = hasSize === 0 ? 0 : Number(packed.readBigUInt64LE(6))
  const blockTrailer = hasBlockChecksums === 0 ? 0 : 4
  let at = 7 + (hasSize === 0 ? 0 : 8) + (hasDictionary === 0 ? 0 : 4)
  let bound = 0
  const blocks: [start: number, end: number][] = []
  for (;;) {
    const header = packed.readUInt32LE(at)
    at += 4
    if (header === 0) break
    const length = header % RAW_BLOCK
    const end = at + length
    if (end + blockTrailer > packed.length) throw new Error('a block reaches beyond the frame')
    if (header >= RAW_BLOCK) bound += length
    else {
      blocks.push([at, end])
      bound += Math.min(blockBytes, length * MAX_RATIO)
    }
    at = end + blockTrailer
  }
  const end = at + (hasChecksum === 0 ? 0 : 4)
  if (end > packed.length) throw new Error('the frame has no end')
  if (bound > limit)
    // Many small blocks may be harmless, and only reading them tells.
    for (const [start, stop] of blocks)
      bound += blockLength(packed, start, stop) - Math.min(blockBytes, (stop - start) * MAX_RATIO)
  return { end, bytes: Math.max(bound, declared) }
}

/** Sum of the lengths of a block's literals and matches. */
function blockLength(packed: Buffer, start: number, end: number): number {
  let length = 0
  let at = start
  const extended = (nibble: number): number => {
    let sum = nibble
    if (nibble < 15) return sum
    for (;;) {
      const more = at < end ? (packed[at++] ?? 0) : 0
      sum += more
      if (more < 255) return sum
    }
  }
  while (at < end) {
    const token = packed[at++] ?? 0
    const literals = extended(token >> 4)
    length += literals
    at += literals
    if (at >= end) break
    at += 2
    length += extended(token & 15) + MIN_MATCH
  }
  return length
}

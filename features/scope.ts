/**
 * **Scope**: the part of the estate that one pipeline answers for: all of it, or the identities of one partition of
 * `plumbline.activity`. Who owns an identity is decided by Kafka's own partitioner (murmur2 of the key, KIP-480 keyed
 * records), so that producers in other languages, ClickHouse (`kafkaMurmurHash`) and this program agree.
 */
export interface Scope {
  readonly partition: number
  readonly partitions: number
}

/** Short name for cursors and calibration rows: `3of12`; '' for the whole estate. */
export const scopeName = (scope: Scope | undefined): string =>
  scope === undefined ? '' : `${scope.partition}of${scope.partitions}`

/** The partition of a key, as the default partitioner of Kafka's clients computes it. */
export function partitionOf(key: string, partitions: number): number {
  return (murmur2(Buffer.from(key)) & 0x7fffffff) % partitions
}

const SEED = 0x9747b28c
const M = 0x5bd1e995

/** 32-bit MurmurHash2 with Kafka's seed (org.apache.kafka.common.utils.Utils.murmur2). */
function murmur2(data: Buffer): number {
  const { length } = data
  let h = SEED ^ length
  let at = 0
  for (; at + 4 <= length; at += 4) {
    let k = Math.imul(data.readInt32LE(at), M)
    k ^= k >>> 24
    h = Math.imul(h, M) ^ Math.imul(k, M)
  }
  const rest = length - at
  if (rest >= 3) h ^= (data[at + 2] ?? 0) << 16
  if (rest >= 2) h ^= (data[at + 1] ?? 0) << 8
  if (rest >= 1) h = Math.imul(h ^ (data[at] ?? 0), M)
  h ^= h >>> 13
  h = Math.imul(h, M)
  return h ^ (h >>> 15)
}

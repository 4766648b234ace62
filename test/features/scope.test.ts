import fc from 'fast-check'
import { Partitioners } from 'kafkajs'
import { describe, expect, it } from 'vitest'
import { partitionOf, scopeName } from '../../features/scope.ts'

describe('partitionOf', () => {
  it('answers what kafkajs answers for the same key', () => {
    const partitioner = Partitioners.DefaultPartitioner()
    const metadata = (partitions: number) =>
      Array.from({ length: partitions }, (_, partitionId) => ({
        partitionErrorCode: 0,
        partitionId,
        leader: 1,
        replicas: [1],
        isr: [1],
      }))
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', minLength: 1 }),
        fc.integer({ min: 1, max: 64 }),
        (key, partitions) => {
          expect(partitionOf(key, partitions)).toBe(
            partitioner({ topic: 't', partitionMetadata: metadata(partitions), message: { key, value: '' } }),
          )
        },
      ),
      { numRuns: 500 },
    )
  })

  it('has the values of ClickHouse: kafkaMurmurHash', () => {
    // SELECT kafkaMurmurHash('abc'), kafkaMurmurHash('arn:aws:iam::123:role/x'), kafkaMurmurHash('ü')
    const whole = 0x80000000
    expect(partitionOf('abc', whole)).toBe(479470107)
    expect(partitionOf('arn:aws:iam::123:role/x', whole)).toBe(535028211)
    expect(partitionOf('ü', whole)).toBe(1419834458)
  })
})

describe('scopeName', () => {
  it('names a partition and is empty for the whole estate', () => {
    expect(scopeName({ partition: 3, partitions: 12 })).toBe('3of12')
    expect(scopeName(undefined)).toBe('')
  })
})

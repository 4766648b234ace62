import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hashNumbers, hashText, Random, weightedIndex } from '../../datasets/random.ts'

const draw = (count: number, next: (random: Random) => number): readonly number[] => {
  const random = new Random(42)
  return Array.from({ length: count }, () => next(random))
}
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length
const variance = (values: readonly number[]): number => {
  const centre = mean(values)
  return mean(values.map((value) => (value - centre) ** 2))
}

/** The generator as published (PractRand's sfc32), on unsigned words. */
function published(a: number, b: number, c: number, counter: number): () => number {
  return () => {
    const sum = (a + b + counter) >>> 0
    counter = (counter + 1) >>> 0
    a = (b ^ (b >>> 9)) >>> 0
    b = (c + ((c << 3) >>> 0)) >>> 0
    c = (((c << 21) | (c >>> 11)) + sum) >>> 0
    return sum
  }
}

describe('Random', () => {
  it('is sfc32', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer(), fc.integer(), (a, b, c) => {
        const reference = published(a >>> 0, b >>> 0, c >>> 0, 1)
        for (let round = 0; round < 12; round += 1) reference()
        const random = new Random(a, b, c, 0)
        for (let turn = 0; turn < 20; turn += 1) expect(random.uint32()).toBe(reference())
      }),
    )
  })

  it('starts again from the same seed, and elsewhere from a neighbouring one', () => {
    const random = new Random(1, 2, 3, 4)
    const first = [random.uint32(), random.uint32()]
    expect([random.seed(1, 2, 3, 4).uint32(), random.uint32()]).toEqual(first)
    const others = [
      new Random(2, 2, 3, 4),
      new Random(1, 3, 3, 4),
      new Random(1, 2, 4, 4),
      new Random(1, 2, 3, 6),
    ]
    for (const other of others) expect(other.uint32()).not.toBe(first[0])
  })

  it('has the moments that its distributions promise', () => {
    const floats = draw(20_000, (random) => random.float())
    expect(mean(floats)).toBeCloseTo(0.5, 1)
    expect(variance(floats)).toBeCloseTo(1 / 12, 2)
    const gamma = draw(20_000, (random) => random.gamma(4))
    expect(Math.abs(mean(gamma) - 1)).toBeLessThan(0.03)
    expect(Math.abs(variance(gamma) - 0.25)).toBeLessThan(0.03)
    for (const expected of [0.7, 12, 80]) {
      const counts = draw(20_000, (random) => random.poisson(expected))
      expect(Math.abs(mean(counts) / expected - 1)).toBeLessThan(0.05)
      expect(Math.abs(variance(counts) / expected - 1)).toBeLessThan(0.1)
    }
    expect(draw(10, (random) => random.poisson(0))).toEqual(Array(10).fill(0))
  })

  it('writes version-4 UUIDs, hexadecimal text and picks inside its bounds', () => {
    const random = new Random(5)
    for (let turn = 0; turn < 200; turn += 1) {
      expect(random.uuid()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
      expect(random.hex(turn % 20)).toHaveLength(turn % 20)
      expect(['a', 'b']).toContain(random.pick(['a', 'b']))
    }
    expect(new Set(draw(500, (generator) => generator.between(3, 5)))).toEqual(new Set([3, 4, 5]))
    expect(() => random.pick([])).toThrow(RangeError)
  })

  it('draws indexes in proportion to their weights', () => {
    const index = weightedIndex([1, 0, 3])
    const drawn = draw(8000, index)
    expect(drawn).not.toContain(1)
    expect(Math.abs(drawn.filter((i) => i === 2).length / 8000 - 0.75)).toBeLessThan(0.03)
  })

  it('hashes neighbours apart', () => {
    const numbers = Array.from({ length: 5000 }, (_, i) => hashNumbers(7, i))
    const texts = Array.from({ length: 5000 }, (_, i) => hashText(`role-${i}`))
    expect(new Set(numbers).size).toBe(5000)
    expect(new Set(texts).size).toBe(5000)
    expect(hashNumbers(1, 2)).not.toBe(hashNumbers(2, 1))
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  betaBinomialUpperMidP,
  LEAST_P,
  negativeBinomialUpperMidP,
  sizeFromMoments,
  slotMean,
  slotWeight,
  winsorise,
} from '../../features/counts.ts'
import { incompleteBeta } from '../../features/special-functions.ts'

const relativeError = (actual: number, expected: number): number =>
  Math.abs(actual - expected) / Math.abs(expected)

describe('negativeBinomialUpperMidP', () => {
  it('gives the vector of the notes', () => {
    expect(negativeBinomialUpperMidP({ count: 40, mean: 12, size: 4 })).toBeCloseTo(0.00218752, 8)
  })

  // Reference values: mpmath at 60 digits, terms summed.
  it.each([
    [40, 12, 4, 0.0021875233321029877],
    [0, 3, 2, 0.92],
    [1, 0.02, 12.5, 0.00999917507496436],
    [100000, 50000, 12.5, 0.002133042742852796],
    [2000, 100, 12.5, 3.622947652684522e-84],
    [7, 0.02, 0.2, 1.3466149915056168e-9],
  ])('count %d, mean %d, size %d', (count, mean, size, expected) => {
    expect(relativeError(negativeBinomialUpperMidP({ count, mean, size }), expected)).toBeLessThan(1e-10)
  })

  it('ends at 1e-300 instead of 0, and says nothing of what is no count', () => {
    expect(negativeBinomialUpperMidP({ count: 5000, mean: 12, size: 4 })).toBe(LEAST_P)
    expect(negativeBinomialUpperMidP({ count: Number.NaN, mean: 12, size: 4 })).toBe(1)
    expect(negativeBinomialUpperMidP({ count: 3, mean: Number.NaN, size: 4 })).toBe(1)
  })

  it('becomes Poisson for a large size', () => {
    const pmf = Math.exp(-2) * 2
    const poisson = 1 - Math.exp(-2) * (1 + 2 + 2)
    expect(negativeBinomialUpperMidP({ count: 2, mean: 2, size: Number.POSITIVE_INFINITY })).toBeCloseTo(
      poisson + pmf / 2,
      7,
    )
  })

  it('falls with the count and rises with the mean', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 100_000 }),
        fc.integer({ min: 1, max: 1000 }),
        fc.double({ min: 0.02, max: 10_000, noNaN: true }),
        fc.double({ min: 1, max: 3, noNaN: true }),
        fc.double({ min: 0.2, max: 12.5, noNaN: true }),
        (count, more, mean, times, size) => {
          const p = negativeBinomialUpperMidP({ count, mean, size })
          expect(p).toBeGreaterThan(0)
          expect(p).toBeLessThanOrEqual(1)
          expect(negativeBinomialUpperMidP({ count: count + more, mean, size })).toBeLessThanOrEqual(
            p * (1 + 1e-9),
          )
          expect(negativeBinomialUpperMidP({ count, mean: mean * times, size })).toBeGreaterThanOrEqual(
            p * (1 - 1e-9),
          )
        },
      ),
      { seed: 4, numRuns: 300 },
    )
  })
})

describe('betaBinomialUpperMidP', () => {
  it('gives the vector of the notes', () => {
    const p = betaBinomialUpperMidP({ denied: 9, events: 20, a: 1.5, b: 60 })
    expect(relativeError(p, 1.2982e-6)).toBeLessThan(1e-5)
  })

  // Reference values: mpmath at 40 digits, terms summed.
  it.each([
    [9, 20, 1.5, 60, 1.2982007365080519e-6],
    [0, 20, 1.5, 60, 0.6747375407279648],
    [20, 20, 1.5, 60, 6.30556905597477e-19],
    [3, 500, 2, 198, 0.6192482788549493],
    [450, 500, 2, 198, 3.249856134225415e-125],
    [12, 12, 0.2, 19.8, 1.0500825747126434e-10],
    [90, 100, 150, 0.4, 0.9999921051130268],
    [50000, 100000, 20, 180, 2.5500797294521277e-34],
    [20000, 100000, 20, 180, 5.181171911553725e-5],
    [5000, 100000, 20, 180, 0.9974572869050896],
  ])('%d of %d, a = %d, b = %d', (denied, events, a, b, expected) => {
    expect(relativeError(betaBinomialUpperMidP({ denied, events, a, b }), expected)).toBeLessThan(1e-10)
  })

  it('sums to one with its mirror image', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0.01, max: 200, noNaN: true }),
        fc.double({ min: 0.01, max: 200, noNaN: true }),
        (events, share, a, b) => {
          const denied = Math.floor(share * events)
          const up = betaBinomialUpperMidP({ denied, events, a, b })
          const down = betaBinomialUpperMidP({ denied: events - denied, events, a: b, b: a })
          expect(Math.abs(up + down - 1)).toBeLessThan(1e-8)
          if (denied < events)
            expect(betaBinomialUpperMidP({ denied: denied + 1, events, a, b })).toBeLessThanOrEqual(
              up * (1 + 1e-9),
            )
        },
      ),
      { seed: 5, numRuns: 300 },
    )
  })

  it('answers at a million events, and says nothing of none', () => {
    const p = betaBinomialUpperMidP({ denied: 30_000, events: 1_000_000, a: 2, b: 198 })
    // At a million events the share is all but continuous: P(Beta(2, 198) > 0.03).
    expect(relativeError(p, incompleteBeta(0.97, 198, 2))).toBeLessThan(1e-3)
    expect(betaBinomialUpperMidP({ denied: 0, events: 0, a: 2, b: 198 })).toBe(1)
    expect(betaBinomialUpperMidP({ denied: 1, events: 5, a: Number.NaN, b: 198 })).toBe(1)
  })
})

describe('sizeFromMoments', () => {
  const of = (counts: readonly number[]): number =>
    sizeFromMoments({
      units: counts.length,
      sum: counts.reduce((s, c) => s + c, 0),
      sumSquares: counts.reduce((s, c) => s + c * c, 0),
    })

  it('finds the dispersion of a long past', () => {
    // Half 0, half 20: mean 10, variance 100, φ = (100 − 10)/100.
    const counts = Array.from({ length: 10_000 }, (_, i) => (i % 2) * 20)
    expect(1 / of(counts)).toBeCloseTo(0.9, 2)
  })

  it('stays between 0.08 and 5, and is widest without history', () => {
    expect(1 / of(Array.from({ length: 10_000 }, () => 50))).toBeCloseTo(0.08, 10)
    expect(1 / of(Array.from({ length: 10_000 }, (_, i) => (i % 500 === 0 ? 1000 : 0)))).toBeCloseTo(5, 10)
    expect(1 / sizeFromMoments({ units: 0, sum: 0, sumSquares: 0 })).toBe(5)
    expect(sizeFromMoments({ units: 10, sum: Number.NaN, sumSquares: 4 })).toBe(0.2)
  })
})

describe('slotMean', () => {
  it('mixes the slot with the same hour of all days', () => {
    expect(slotMean({ slotCount: 20, slotWeight: 2, dayCounts: 30, dayWeight: 15 })).toBeCloseTo(7.6, 12)
  })
  it('has a floor, and survives an empty past', () => {
    expect(slotMean({ slotCount: 0, slotWeight: 0, dayCounts: 0, dayWeight: 0 })).toBe(0.02)
    expect(slotMean({ slotCount: 0, slotWeight: 0.5, dayCounts: 0, dayWeight: 3.5 })).toBe(0.02)
  })
})

describe('winsorise', () => {
  it('cuts at six standard deviations', () => {
    expect(winsorise({ count: 1000, mean: 100, phi: 0.21 })).toBeCloseTo(100 + 6 * Math.sqrt(2200), 10)
    expect(winsorise({ count: 120, mean: 100, phi: 0.21 })).toBe(120)
  })
})

describe('slotWeight', () => {
  it('is the recursion e ← λe + 1 from ½', () => {
    let e = 0.5
    for (let week = 0; week < 30; week++) {
      expect(slotWeight(week)).toBeCloseTo(e, 12)
      e = e * 2 ** (-1 / 8) + 1
    }
  })
  it('halves an old observation after eight weeks', () => {
    expect(slotWeight(8) - (1 - 0.5) / (1 - 2 ** (-1 / 8))).toBeCloseTo(0.25, 12)
  })
})

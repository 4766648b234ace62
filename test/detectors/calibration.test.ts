import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  BIN_COUNT,
  binOf,
  calibratedP,
  finestWithEnough,
  Histogram,
  LEAST_CALIBRATED_P,
  paretoSurvival,
  type TailShape,
  uncalibratedP,
} from '../../detectors/calibration.ts'
import { negativeBinomialUpperMidP } from '../../features/counts.ts'

const SHAPES: readonly TailShape[] = ['exponential', 'pareto']

function histogramOf(scores: Iterable<number>): Histogram {
  const histogram = new Histogram()
  for (const score of scores) histogram.add(binOf(score))
  return histogram
}

/** mulberry32: the same uniform numbers in [0, 1) for the same seed. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

describe('binOf', () => {
  it('cuts at every twentieth of a nat, also where 0.15 / 0.05 rounds below 3', () => {
    expect([0, 0.049, 0.05, 0.15, 1, 63.96, 64, 1e9].map(binOf)).toEqual([0, 0, 1, 3, 20, 1279, 1279, 1279])
  })
  it('puts what is no score into the first bin', () => {
    expect(binOf(-1)).toBe(0)
    expect(binOf(Number.NaN)).toBe(0)
    expect(binOf(Number.POSITIVE_INFINITY)).toBe(BIN_COUNT - 1)
  })
})

describe('Histogram', () => {
  it('adds up, and counts what reaches a bin', () => {
    const one = histogramOf([0, 1, 2, 2])
    const two = histogramOf([2, 70])
    one.addAll(two)
    expect(one.total).toBe(6)
    expect(one.atLeast(binOf(2))).toBe(4)
    one.add(binOf(2), 5)
    expect(one.atLeast(binOf(2))).toBe(9)
    one.add(0, -5)
    one.add(0, Number.NaN)
    expect(one.total).toBe(11)
  })
})

describe('calibratedP', () => {
  it('extends the tail as in the vector of the notes', () => {
    // n = 20 000, N_t = 200, t = 5.2, σ = 1.1, ξ = .12, x = 10.
    expect((200 / 20_000) * paretoSurvival(10 - 5.2, { sigma: 1.1, xi: 0.12 })).toBeCloseTo(2.99219e-4, 9)
  })

  it('knows the limits of the tail shape', () => {
    expect(paretoSurvival(3, { sigma: 1.5, xi: 0 })).toBeCloseTo(Math.exp(-2), 14)
    expect(paretoSurvival(3, { sigma: 1.5, xi: 1e-8 })).toBeCloseTo(Math.exp(-2), 7)
    expect(paretoSurvival(15, { sigma: 1.5, xi: -0.1 })).toBe(0)
    expect(paretoSurvival(0, { sigma: 1.5, xi: -0.1 })).toBe(1)
  })

  it('ranks below the threshold, ties of a bin included', () => {
    const histogram = histogramOf(Array.from({ length: 999 }, (_, i) => i / 100))
    // 5 and 20 higher scores in its bin down to 5.00: 499 scores from 5.00 up.
    expect(calibratedP(histogram, 5.02)).toBe(500 / 1000)
    expect(calibratedP(histogram, 0)).toBe(1)
  })

  it('fits the shape of §4 by moments', () => {
    const random = generator(1)
    const histogram = histogramOf(Array.from({ length: 20_000 }, () => -1.5 * Math.log(1 - random())))
    const tail = histogram.tail('pareto')
    expect(tail?.units).toBeGreaterThan(150)
    expect(tail?.units).toBeLessThanOrEqual(200)
    expect(tail?.p).toBeCloseTo(0.01, 2)
    expect(Math.abs(tail?.xi ?? 1)).toBeLessThanOrEqual(0.2)
    expect((tail?.sigma ?? 0) / (1 - (tail?.xi ?? 0))).toBeCloseTo(1.5, 0)
  })

  it('ranks only, with the shape of §4, below 30 tail units', () => {
    const histogram = histogramOf(Array.from({ length: 1000 }, (_, i) => i / 100))
    expect(histogram.tail('pareto')).toBeNull()
    expect(calibratedP(histogram, 60, 'pareto')).toBe(1 / 1001)
  })

  it('lets a detector speak that never spoke, but not as loud as its raw p', () => {
    const histogram = new Histogram()
    histogram.add(0, 20_000)
    const p = calibratedP(histogram, 20)
    expect(p).toBeLessThan(1e-6)
    expect(p).toBeGreaterThan(Math.exp(-20) * 10)
    expect(calibratedP(histogram, 0)).toBe(1)
  })

  it('does not sharpen evidence by ties: a tail of one value is no steeper than the raw p', () => {
    const histogram = new Histogram()
    histogram.add(0, 20_000)
    histogram.add(binOf(6), 35)
    const at = calibratedP(histogram, 6)
    expect(at).toBeCloseTo(36 / 20_036, 5)
    expect(calibratedP(histogram, 9) / at).toBeGreaterThan(Math.exp(-3))
  })

  it('does not stretch the tail over the empty scores below the first excess', () => {
    const histogram = new Histogram()
    histogram.add(0, 20_000)
    for (let i = 0; i < 20; i++) histogram.add(binOf(8 + i / 20))
    expect(calibratedP(histogram, 7.9)).toBe(21 / 20_021)
    expect(calibratedP(histogram, 18)).toBeLessThan(calibratedP(histogram, 8.5) / 100)
  })

  const scores = fc.array(fc.double({ min: 0, max: 70, noNaN: true }), { maxLength: 60 })
  it.each(SHAPES)('never rises with the score, is never 0 and never NaN (%s)', (shape) => {
    fc.assert(
      fc.property(scores, fc.nat(20_000), scores, (some, silent, asked) => {
        const histogram = histogramOf(some)
        // Copies, so that both tails are reached.
        for (const score of some) histogram.add(binOf(score / 3), 40)
        histogram.add(0, silent)
        let before = 1
        for (const score of [...asked, 1e6].sort((a, b) => a - b)) {
          const p = calibratedP(histogram, score, shape)
          expect(p).toBeLessThanOrEqual(before)
          expect(p).toBeGreaterThanOrEqual(LEAST_CALIBRATED_P)
          before = p
        }
        expect(calibratedP(histogram, Number.NaN, shape)).toBe(1)
      }),
      { seed: 21, numRuns: 200 },
    )
  })
})

describe('null simulations', () => {
  const LEVELS = [0.1, 0.01, 0.001] as const
  const SEEDS = 20
  const UNITS = 20_000

  /** Highest observed ÷ expected over the three levels, pooled over the seeds. */
  function inflation(
    draw: (random: () => number) => number,
    shape: TailShape,
    { units = UNITS, seeds = SEEDS } = {},
  ): number {
    const below = LEVELS.map(() => 0)
    for (let seed = 1; seed <= seeds; seed++) {
      const random = generator(seed * 7919)
      const histogram = new Histogram()
      for (let i = 0; i < units; i++) histogram.add(binOf(draw(random)))
      for (let i = 0; i < UNITS; i++) {
        const p = calibratedP(histogram, draw(random), shape)
        for (let level = 0; level < LEVELS.length; level++)
          if (p <= (LEVELS[level] ?? 0)) below[level] = (below[level] ?? 0) + 1
      }
    }
    return Math.max(...LEVELS.map((level, i) => (below[i] ?? 0) / (level * UNITS * seeds)))
  }

  const counts = Array.from(
    { length: 200 },
    (_, count) => -Math.log(negativeBinomialUpperMidP({ count, mean: 3, size: 2 })),
  )
  const draws: Record<string, (random: () => number) => number> = {
    'an honest −ln p': (random) => -Math.log(1 - random()),
    'twice too small p-values': (random) => -2 * Math.log(1 - random()),
    'a heavy tail': (random) => 3 * ((1 - random()) ** -0.2 - 1),
    // Geometric counts scored as something else: discrete and misfitting.
    'counts in steps': (random) =>
      counts[Math.min(199, Math.floor(Math.log(1 - random()) / Math.log(0.75)))] ?? 0,
    'a detector that speaks in 3 of 1 000 units': (random) =>
      random() < 0.003 ? 3 - 2.5 * Math.log(1 - random()) : 0,
    'a capped score': (random) => Math.min(5, -2 * Math.log(1 - random())),
  }
  describe.each(Object.keys(draws))('%s', (name) => {
    const draw = draws[name] ?? (() => Number.NaN)
    it.each(SHAPES)('P(p ≤ a) ≤ 1.2·a (%s)', (shape) => {
      expect(inflation(draw, shape)).toBeLessThanOrEqual(1.2)
    })
    it('P(p ≤ a) ≤ 1.5·a with a tenth of the history, of which .001 is two units', () => {
      expect(inflation(draw, 'exponential', { units: 2000, seeds: 60 })).toBeLessThanOrEqual(1.5)
    })
  })

  it('would notice scores that are not calibrated', () => {
    const random = generator(3)
    let below = 0
    for (let i = 0; i < UNITS; i++) if (Math.exp(2 * Math.log(1 - random())) <= 0.01) below += 1
    expect(below / (0.01 * UNITS)).toBeGreaterThan(5)
  })
})

describe('uncalibratedP', () => {
  it('is ten times the raw p, within its bounds', () => {
    expect(uncalibratedP(0.003)).toBeCloseTo(0.03, 12)
    expect(uncalibratedP(0.4)).toBe(1)
    expect(uncalibratedP(0)).toBe(LEAST_CALIBRATED_P)
    expect(uncalibratedP(Number.NaN)).toBe(1)
  })
})

describe('finestWithEnough', () => {
  it('goes up until there are enough units, and no further', () => {
    const fine = histogramOf([1])
    const middle = new Histogram()
    middle.add(0, 2000)
    const coarse = new Histogram()
    coarse.add(0, 9000)
    expect(finestWithEnough([fine, middle, coarse])).toBe(middle)
    expect(finestWithEnough([fine, middle], 5000)).toBe(middle)
    expect(finestWithEnough([]).total).toBe(0)
  })
})

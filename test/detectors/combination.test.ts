import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { binOf, calibratedP, Histogram } from '../../detectors/calibration.ts'
import {
  brownP,
  CAMPAIGN_WINDOWS,
  campaignStatistic,
  cappedP,
  familySurprise,
  strongestByFamily,
} from '../../detectors/combination.ts'

const PS = [2e-4, 0.003, 0.4, 0.7, 0.2]
const MOMENTS = { mean: 5, variance: 7 }

describe('the vector of the notes', () => {
  it('sums to S = 17.20874', () => {
    // Damping 1 is the plain sum.
    expect(familySurprise(PS, 1)).toBeCloseTo(17.20874, 5)
  })
  it('p_F = 9.9957e−4', () => {
    expect(brownP(PS, MOMENTS)).toBeCloseTo(9.9957e-4, 8)
  })
})

describe('combination', () => {
  it('is Fisher’s χ² for independent signals', () => {
    // Two independent p: P = q(1 − ln q), q their product; S has mean 2 and variance 2.
    const q = 0.01 * 0.2
    expect(brownP([0.01, 0.2], { mean: 2, variance: 2 })).toBeCloseTo(q * (1 - Math.log(q)), 12)
  })
  it('answers 1 without moments, without signals and for what is no p', () => {
    expect(brownP(PS, { mean: 0, variance: 0 })).toBe(1)
    expect(brownP([], MOMENTS)).toBe(1)
    expect(brownP([Number.NaN], MOMENTS)).toBe(1)
    expect(brownP([0], { mean: 1, variance: 1 })).toBeCloseTo(1e-12, 20)
    expect([familySurprise([]), familySurprise([Number.NaN])]).toEqual([0, 0])
  })

  it('raising any p never lowers p* (calibration fixed)', () => {
    const histogram = new Histogram()
    for (let i = 0; i < 5000; i++) histogram.add(binOf(-Math.log((i + 0.5) / 5000)))
    const final = (ps: readonly number[]): number => calibratedP(histogram, familySurprise(ps))
    const p = fc.double({ min: -30, max: 0, noNaN: true }).map((e) => Math.exp(e))
    fc.assert(
      fc.property(fc.array(p, { minLength: 5, maxLength: 5 }), fc.nat(4), p, (ps, j, other) => {
        const raised = ps.map((own, i) => (i === j ? Math.max(own, other) : own))
        expect(final(raised)).toBeGreaterThanOrEqual(final(ps) * (1 - 1e-9))
        expect(familySurprise(raised)).toBeLessThanOrEqual(familySurprise(ps) + 1e-9)
        expect(brownP(raised, MOMENTS)).toBeGreaterThanOrEqual(brownP(ps, MOMENTS) * (1 - 1e-9))
      }),
      { seed: 31, numRuns: 500 },
    )
  })
})

describe('families', () => {
  it('count one cause once', () => {
    const strongest = strongestByFamily([
      { family: 'geography', p: 0.01 },
      { family: 'permission use', p: 1e-4 },
      { family: 'geography', p: 0.002 },
    ])
    expect([...strongest]).toEqual([
      ['geography', 0.002],
      ['permission use', 1e-4],
    ])
    const nats = -Math.log(1e-4) - 0.5 * Math.log(0.002)
    expect(familySurprise(strongest.values())).toBeCloseTo(nats, 10)
  })
  it('cap what proves nothing alone', () => {
    expect(cappedP(1e-9, 1e-4)).toBe(1e-4)
    expect(cappedP(0.3, 1e-4)).toBe(0.3)
  })
})

describe('campaignStatistic', () => {
  const at = (hour: number, surprise: number) => ({ hour, surprise })
  const surprises = [at(10, 9), at(80, 4), at(90, 1), at(99, 6), at(100, 5)]
  it('is the mean of the three largest in the window, now included', () => {
    expect(campaignStatistic(surprises, 100, CAMPAIGN_WINDOWS['24h'])).toBeCloseTo(5, 12)
    expect(campaignStatistic(surprises, 100, CAMPAIGN_WINDOWS['6d'])).toBeCloseTo(20 / 3, 12)
    expect(campaignStatistic([...surprises].reverse(), 100, 24)).toBeCloseTo(5, 12)
  })
  it('looks neither ahead nor at the hour that just left the window', () => {
    expect(campaignStatistic([at(76, 9), at(101, 9), at(77, 3), at(90, 3), at(100, 3)], 100, 24)).toBe(3)
  })
  it('needs three', () => {
    expect(campaignStatistic([at(99, 20), at(100, 20)], 100, 24)).toBe(0)
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LEAST_P } from '../../features/counts.ts'
import {
  burstM,
  seenMass,
  seenP,
  summarise,
  usageBackoff,
  windowP,
  windowParts,
} from '../../features/novelty.ts'

// Get, Put, List, Head, Delete: the vector of detection-notes §11.
const HOURS = [200, 80, 15, 4, 1]
const presences = fc.array(
  fc.oneof(fc.integer({ min: 1, max: 500 }), fc.double({ min: 0, max: 5, noNaN: true })),
  {
    maxLength: 40,
  },
)

describe('summarise and seenP', () => {
  it('give the vector of the notes', () => {
    const s = summarise(HOURS)
    expect(s).toMatchObject({ N: 300, K: 5, H1: 1, alpha: 1 })
    expect(s.d).toBeCloseTo(0.2, 12)
    expect(s.deltaSum).toBeCloseTo(1, 12)
    expect(s.M).toBeCloseTo(0.0066445, 7)
    expect(seenP(s, HOURS, 200)).toBeCloseTo(0.668106, 6)
    expect(seenP(s, HOURS, 15)).toBeCloseTo(0.046512, 6)
    expect(seenP(s, HOURS, 1)).toBeCloseTo(0.007973, 6)
  })

  it('expect anything of an identity without history', () => {
    expect(summarise([])).toMatchObject({ N: 0, K: 0, alpha: 10, M: 1 })
    expect(summarise([Number.NaN, -3, Number.POSITIVE_INFINITY]).M).toBe(1)
  })

  it('treat half an hour of presence as unseen', () => {
    const s = summarise([100, 0.5])
    expect(s.K).toBe(1)
    expect(seenMass(s, 0.5)).toBe(0)
    expect(seenP(s, [100, 0.5], 0.5)).toBe(s.M)
  })

  it('read an iterable that can be read once', () => {
    expect(summarise(new Set(HOURS).values())).toEqual(summarise(HOURS))
  })

  it('total mass is 1', () => {
    fc.assert(
      fc.property(presences, (values) => {
        const s = summarise(values)
        const seen = values.reduce((sum, n) => sum + seenMass(s, n), 0)
        expect(seen + s.M).toBeCloseTo(1, 10)
      }),
      { seed: 11 },
    )
  })

  it('M ≤ seen p, and a larger presence never gives a smaller p', () => {
    fc.assert(
      fc.property(presences, (values) => {
        const s = summarise(values)
        let before = 0
        for (const n of [...values].sort((a, b) => a - b)) {
          const p = seenP(s, values, n)
          expect(p).toBeGreaterThanOrEqual(s.M)
          expect(p).toBeGreaterThanOrEqual(before)
          expect(p).toBeLessThanOrEqual(1)
          before = p
        }
      }),
      { seed: 12 },
    )
  })
})

it('an hour of nothing but new values is rare, and its surprise a number', () => {
  const p = windowP({ m: 4000, k: 4000, M: 1e-3, minP: 1e-4 })
  expect(p).toBeGreaterThan(0)
  expect(-Math.log(p)).toBeLessThan(1000)
})

describe('usageBackoff', () => {
  it('is ½ without others and 1 when all use it', () => {
    expect(usageBackoff({ identitiesUsing: 0, identitiesInLevel: 0 })).toBe(0.5)
    expect(usageBackoff({ identitiesUsing: 400, identitiesInLevel: 400 })).toBe(1)
  })

  it('rises with users, falls with the size of the level, stays in (0, 1]', () => {
    fc.assert(
      fc.property(fc.nat(10_000), fc.nat(10_000), (identitiesUsing, more) => {
        const identitiesInLevel = identitiesUsing + more
        const T = usageBackoff({ identitiesUsing, identitiesInLevel })
        expect(T).toBeGreaterThan(0)
        expect(T).toBeLessThanOrEqual(1)
        expect(
          usageBackoff({ identitiesUsing: identitiesUsing + 1, identitiesInLevel }),
        ).toBeGreaterThanOrEqual(T)
        expect(
          usageBackoff({ identitiesUsing, identitiesInLevel: identitiesInLevel + 1 }),
        ).toBeLessThanOrEqual(T)
      }),
      { seed: 14 },
    )
  })
})

describe('windowP', () => {
  it('gives the vector of the notes', () => {
    const { M } = summarise(HOURS)
    const input = { m: 6, k: 3, M, minP: 0.0011074 }
    expect(windowParts(input).rarest).toBeCloseTo(0.0066261, 6)
    expect(windowParts(input).several).toBeCloseTo(5.7798e-6, 10)
    expect(windowP(input)).toBeCloseTo(1.15596e-5, 9)
  })

  it('is 1 at most, and only the rarest value counts when nothing is unseen', () => {
    expect(windowP({ m: 3, k: 0, M: 0.01, minP: 0.9 })).toBe(1)
    expect(windowP({ m: 1, k: 0, M: 0.01, minP: 0.1 })).toBeCloseTo(0.2, 12)
    expect(windowP({ m: 0, k: 4, M: 0.01, minP: 0 })).toBe(LEAST_P)
  })
})

describe('burstM', () => {
  it('is the share of hours that brought something new', () => {
    expect(burstM({ novelUnits: 3, units: 75 })).toBeCloseTo(0.035, 12)
    expect(burstM({ novelUnits: 0, units: 0 })).toBeCloseTo(0.02, 12)
  })
})

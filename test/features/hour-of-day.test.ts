import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hourOfDayP } from '../../features/hour-of-day.ts'

const counts = fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 24, maxLength: 24 })

describe('hourOfDayP', () => {
  it('is the mass of the less usual hours and half the ties', () => {
    const office = Array.from({ length: 24 }, (_, h) => (h >= 8 && h < 18 ? 30 : 0))
    // Smoothed and +½: 9 to 16 h 30.5 (8 hours), 8 and 17 h 23, 7 and 18 h 8, twelve others ½. Sum 312.
    expect(hourOfDayP(office, 3)).toBeCloseTo(3 / 312, 12)
    expect(hourOfDayP(office, 7)).toBeCloseTo((6 + 8) / 312, 12)
    expect(hourOfDayP(office, 12)).toBeCloseTo((6 + 16 + 46 + 122) / 312, 12)
  })

  it('goes round the clock', () => {
    const midnight = Array.from({ length: 24 }, (_, h) => (h === 0 ? 40 : 0))
    expect(hourOfDayP(midnight, 23)).toBe(hourOfDayP(midnight, 1))
    expect(hourOfDayP(midnight, 23)).toBeGreaterThan(hourOfDayP(midnight, 12))
  })

  it('is ½ without history and for a service that never sleeps', () => {
    expect(hourOfDayP(new Float64Array(24), 5)).toBeCloseTo(0.5, 12)
    expect(hourOfDayP([], 5)).toBeCloseTo(0.5, 12)
    // Rounding must not break the tie.
    const flat = Array.from({ length: 24 }, (_, h) => 10 + (h % 3) * 1e-14)
    for (let h = 0; h < 24; h++) expect(hourOfDayP(flat, h)).toBeCloseTo(0.5, 9)
  })

  it('turning the clock turns the answer, and the mean p weighted by the profile is ½', () => {
    fc.assert(
      fc.property(counts, fc.nat(23), (hours, turn) => {
        const turned = hours.map((_, h) => hours[(h + turn) % 24] ?? 0)
        let mean = 0
        let total = 0
        for (let h = 0; h < 24; h++) {
          const p = hourOfDayP(turned, h)
          expect(p).toBeCloseTo(hourOfDayP(hours, (h + turn) % 24), 10)
          const mass =
            ((turned[(h + 23) % 24] ?? 0) + 2 * (turned[h] ?? 0) + (turned[(h + 1) % 24] ?? 0)) / 4 + 0.5
          mean += mass * p
          total += mass
        }
        expect(mean / total).toBeCloseTo(0.5, 10)
      }),
      { seed: 15 },
    )
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { alphaOf, BUDGET_SPLIT, chargeOnce, expectedOnceInDays, nextBudget } from '../../detectors/budget.ts'

describe('alphaOf', () => {
  it('splits A alerts a day over Ū units a day', () => {
    const state = { alertsPerDay: 5, factor: 1 }
    expect(alphaOf(state, 'unit', 10_000)).toBeCloseTo(3e-4, 12)
    expect(alphaOf(state, 'campaign', 10_000)).toBeCloseTo(1.25e-4, 12)
    expect(alphaOf({ ...state, factor: 2 }, 'campaign', 10_000)).toBeCloseTo(2.5e-4, 12)
    expect(BUDGET_SPLIT.unit + BUDGET_SPLIT.campaign).toBeLessThan(1)
  })
  it('is a probability in an empty estate', () => {
    expect(alphaOf({ alertsPerDay: 5, factor: 4 }, 'unit', 0)).toBe(1)
  })
})

describe('nextBudget', () => {
  const steppedFrom = (factor: number, medianAlertsPerDay: number): number =>
    nextBudget({ alertsPerDay: 4, factor }, { medianAlertsPerDay }).factor
  it('steps by A over what came, at most by half or double', () => {
    expect(steppedFrom(1, 5)).toBeCloseTo(0.8, 12)
    expect(steppedFrom(1, 400)).toBe(0.5)
    expect(steppedFrom(1, 0.5)).toBe(2)
    expect(steppedFrom(1, 0)).toBe(2)
  })
  it('stays within a quarter and four times', () => {
    expect(steppedFrom(0.3, 400)).toBe(0.25)
    expect(steppedFrom(3, 0)).toBe(4)
    fc.assert(
      fc.property(fc.array(fc.double()), (weeks) => {
        let state = { alertsPerDay: 4, factor: 1 }
        for (const medianAlertsPerDay of weeks) state = nextBudget(state, { medianAlertsPerDay })
        expect(state.factor).toBeGreaterThanOrEqual(0.25)
        expect(state.factor).toBeLessThanOrEqual(4)
        expect(state.alertsPerDay).toBe(4)
      }),
      { seed: 41 },
    )
  })
  it('settles where the alerts meet the budget', () => {
    // An estate that alerts at 1.7 times the calibrated rate.
    let state = { alertsPerDay: 4, factor: 1 }
    for (let week = 0; week < 8; week++)
      state = nextBudget(state, { medianAlertsPerDay: 4 * 1.7 * state.factor })
    expect(state.factor).toBeCloseTo(1 / 1.7, 6)
  })
})

describe('chargeOnce', () => {
  it('charges in full, then nothing that day, then less every day', () => {
    const p = 1e-4
    expect(chargeOnce(p, { laterDays: 0, sameDay: false })).toBe(p)
    expect(chargeOnce(p, { laterDays: 0, sameDay: true })).toBe(1)
    expect(chargeOnce(p, { laterDays: 3, sameDay: true })).toBe(1)
    expect(chargeOnce(p, { laterDays: 1, sameDay: false })).toBeCloseTo(1e-2, 12)
    expect(chargeOnce(p, { laterDays: 2, sameDay: false })).toBeCloseTo(1e-1, 12)
    expect(chargeOnce(p, { laterDays: 2000, sameDay: false })).toBeCloseTo(1, 12)
  })
})

describe('expectedOnceInDays', () => {
  it('is 1/(p·Ū)', () => {
    expect(expectedOnceInDays(1e-5, 5000)).toBeCloseTo(20, 10)
    expect(expectedOnceInDays(1e-5, 0)).toBe(Number.POSITIVE_INFINITY)
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { campaignScores } from '../../detectors/campaign.ts'
import { IdentityState } from '../../features/identity-state.ts'
import { EXAMPLE } from '../support/activities.ts'

const NOW = 1000
function patient(surprises: readonly (readonly [hoursAgo: number, surprise: number])[]): IdentityState {
  const state = new IdentityState(EXAMPLE, 'cloudtrail')
  state.surprises = surprises.map(([ago, surprise]) => ({ hour: NOW - ago, surprise }))
  return state
}
const scores = (state: IdentityState, surprise: number, lastAlertHour = -1) =>
  campaignScores(state, { hour: NOW, surprise }, lastAlertHour)
const waysToChoose = (hours: number): number => Math.log((hours * (hours - 1) * (hours - 2)) / 6)

describe('a campaign', () => {
  it('is the sum of the three largest surprises less the ways to choose three hours', () => {
    const state = patient([
      [3, 8],
      [10, 6],
      [12, 2],
    ])
    expect(scores(state, 7)['campaign-24h']).toBeCloseTo(21 - waysToChoose(24), 9)
    expect(scores(state, 7)['campaign-6d']).toBeCloseTo(21 - waysToChoose(144), 9)
  })

  it('needs three hours', () => {
    expect(scores(patient([[3, 60]]), 60)).toEqual({ 'campaign-24h': 0, 'campaign-6d': 0 })
  })

  it('of a day does not see what was before it', () => {
    const state = patient([
      [30, 10],
      [50, 10],
    ])
    expect(scores(state, 10)['campaign-24h']).toBe(0)
    expect(scores(state, 10)['campaign-6d']).toBeGreaterThan(0)
  })

  it('does not tell again what an alert has told', () => {
    const state = patient([
      [3, 10],
      [10, 10],
    ])
    expect(scores(state, 10, NOW - 11)['campaign-24h']).toBeGreaterThan(0)
    expect(scores(state, 10, NOW - 10)['campaign-24h']).toBe(0)
  })

  it('counts the hour at hand once, as it stands now', () => {
    const state = patient([
      [0, 50],
      [3, 5],
      [4, 5],
    ])
    expect(scores(state, 6)['campaign-24h']).toBeCloseTo(16 - waysToChoose(24), 9)
  })

  it('claims no more than three independent hours would, and never less for more surprise', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 143 }), fc.double({ min: 0.01, max: 20, noNaN: true })), {
          maxLength: 20,
        }),
        fc.double({ min: 0.01, max: 20, noNaN: true }),
        (past, surprise) => {
          const state = patient(past)
          const all = [...past.map(([, s]) => s), surprise].sort((a, b) => b - a)
          const top = all.slice(0, 3).reduce((sum, s) => sum + s, 0)
          const now = scores(state, surprise)
          for (const score of Object.values(now)) expect(score).toBeLessThanOrEqual(Math.max(0, top))
          expect(scores(state, surprise + 1)['campaign-6d']).toBeGreaterThanOrEqual(now['campaign-6d'])
        },
      ),
    )
  })
})

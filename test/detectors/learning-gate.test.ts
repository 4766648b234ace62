import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type GateInput, gate, SENSITIVE_EFFECTS } from '../../detectors/learning-gate.ts'
import { Estate } from '../../features/estate.ts'
import { hourOf } from '../../features/feature.ts'
import { IdentityState } from '../../features/identity-state.ts'
import type { KnownValue } from '../../features/known-value.ts'
import { EXAMPLE, MONDAY } from '../support/activities.ts'

const NOW = hourOf(MONDAY)
const shown = (changes: Partial<KnownValue> = {}): KnownValue => ({
  feature: 'action',
  value: 'Create',
  presence: 0,
  day: 0,
  firstHour: NOW,
  lastHour: NOW,
  days: 1,
  hours: 1,
  written: 0,
  held: '',
  ...changes,
})

function settled(total: number): IdentityState {
  const state = new IdentityState(EXAMPLE, 'cloudtrail')
  state.feature('action').total = total
  return state
}

function usedBy(identities: number): Estate {
  const estate = new Estate()
  estate.loadUse('action', 'Create', identities)
  return estate
}

const input = (changes: Partial<GateInput> = {}): GateInput => ({
  value: shown(),
  state: settled(50),
  estate: usedBy(1),
  hour: NOW,
  suspicion: '',
  sensitive: false,
  lastAlertHour: -1,
  ...changes,
})

const held = (changes: Partial<KnownValue> = {}): KnownValue =>
  shown({ held: 'held', presence: 3, ...changes })

describe('a new value', () => {
  it('of a young identity is learnt', () => {
    expect(gate(input())).toEqual({ to: 'learn' })
  })

  it('that scored below 1 in 1 000 is held, with the reason', () => {
    expect(gate(input({ suspicion: 'p below 1 in 1 000' }))).toEqual({
      to: 'hold',
      reason: 'p below 1 in 1 000',
    })
  })

  it('that nobody else uses is held once the identity is settled (T < ½ and N ≥ 200)', () => {
    expect(gate(input({ state: settled(199.9) }))).toEqual({ to: 'learn' })
    expect(gate(input({ state: settled(200) }))).toEqual({
      to: 'hold',
      reason: 'used by no other identity',
    })
    expect(gate(input({ state: settled(200), estate: usedBy(2) }))).toEqual({ to: 'learn' })
  })

  it('of a feature that belongs to one identity by nature needs no company', () => {
    const state = settled(0)
    state.feature('address').total = 1000
    expect(gate(input({ state, value: shown({ feature: 'address' }) }))).toEqual({ to: 'learn' })
  })

  it('that is sensitive is never learnt by itself', () => {
    expect(gate(input({ sensitive: true, estate: usedBy(50) }))).toMatchObject({ to: 'hold' })
    expect([...SENSITIVE_EFFECTS].sort()).toEqual([
      'audit-tampering',
      'credential-minting',
      'permission-grant',
      'trust-change',
    ])
  })
})

describe('a held value', () => {
  const later = NOW + 20 * 24

  it('is promoted on its third day in the company of two others', () => {
    expect(gate(input({ value: held({ days: 3 }), estate: usedBy(3) }))).toEqual({
      to: 'promote',
      reason: '2 other identities use it',
    })
    expect(gate(input({ value: held({ days: 3 }), estate: usedBy(2) }))).toMatchObject({ to: 'hold' })
    expect(gate(input({ value: held({ days: 2 }), estate: usedBy(9) }))).toMatchObject({ to: 'hold' })
  })

  it('is promoted alone after 14 days without an alert, and three days of use', () => {
    const value = held({ days: 3 })
    expect(gate(input({ value, hour: NOW + 14 * 24 - 1 }))).toMatchObject({ to: 'hold' })
    expect(gate(input({ value, hour: NOW + 14 * 24 }))).toEqual({
      to: 'promote',
      reason: '14 days without an alert',
    })
    expect(gate(input({ value, hour: later, lastAlertHour: later - 14 * 24 + 1 }))).toMatchObject({
      to: 'hold',
    })
    expect(gate(input({ value: held({ days: 2 }), hour: later }))).toMatchObject({ to: 'hold' })
  })

  it('stays held in an alerted hour and while sensitive, whatever its age and company', () => {
    const value = held({ days: 300 })
    const old = input({ value, hour: NOW + 9000, estate: usedBy(99) })
    expect(gate(old)).toMatchObject({ to: 'promote' })
    expect(gate({ ...old, suspicion: 'part of an alert' })).toEqual({ to: 'hold', reason: '' })
    expect(gate({ ...old, sensitive: true })).toEqual({ to: 'hold', reason: '' })
  })

  it('is never promoted before the third day, nor while sensitive', () => {
    fc.assert(
      fc.property(
        fc.record({
          days: fc.integer({ min: 1, max: 5 }),
          others: fc.integer({ min: 0, max: 10 }),
          age: fc.integer({ min: 0, max: 5000 }),
          alert: fc.integer({ min: -1, max: 5000 }),
          sensitive: fc.boolean(),
          suspicion: fc.constantFrom('', 'p below 1 in 1 000', 'part of an alert'),
        }),
        ({ days, others, age, alert, sensitive, suspicion }) => {
          const decision = gate(
            input({
              value: held({ days }),
              estate: usedBy(others + 1),
              hour: NOW + age,
              lastAlertHour: alert < 0 ? -1 : NOW + alert,
              sensitive,
              suspicion,
            }),
          )
          if (decision.to !== 'promote') return
          expect(days).toBeGreaterThanOrEqual(3)
          expect(sensitive).toBe(false)
          expect(others >= 2 || age >= 14 * 24).toBe(true)
        },
      ),
      { numRuns: 500 },
    )
  })
})

it('a promoted value stays learnt', () => {
  expect(gate(input({ value: shown({ held: 'promoted', presence: 0.1 }), sensitive: true }))).toEqual({
    to: 'learn',
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dayOf, FEATURES, hourOf } from '../../features/feature.ts'
import { IdentityState } from '../../features/identity-state.ts'
import { VALUES_PER_FEATURE } from '../../features/known-value.ts'
import { decayed } from '../../features/moments.ts'
import type { Closing, Observation, OpenUnit } from '../../features/open-unit.ts'
import type { HeldRow, PresenceRow, UnitRow } from '../../features/rows.ts'
import type { Activity } from '../../ingest/activity.ts'
import { activityAt, DAY, EXAMPLE, HOUR, MONDAY, plainState } from '../support/activities.ts'

const START = hourOf(MONDAY)
const observation: Observation = { unit: null, fresh: [], created: [] }

/** A closing that learns everything as it is. */
const learning = (unit: OpenUnit, changes: Partial<Closing> = {}): Closing => ({
  learned: true,
  learnedEvents: unit.events,
  learnedActions: unit.actions.size,
  learnedResources: unit.resources.size,
  learnedDenied: unit.denied,
  scores: {},
  surprise: 0,
  stratum: 'cloudtrail/low',
  state: 'scored',
  gate: () => ({ to: 'learn' }),
  ...changes,
})

interface Run {
  readonly state: IdentityState
  readonly rows: UnitRow[]
  readonly held: HeldRow[]
  readonly presence: PresenceRow[]
  readonly late: Activity[]
}

/** Activities in the order given; hours close as they may. */
function run(activities: readonly Activity[], closing: Partial<Closing> = {}): Run {
  const told: Run = {
    state: new IdentityState(EXAMPLE, 'cloudtrail'),
    rows: [],
    held: [],
    presence: [],
    late: [],
  }
  for (const activity of activities) observe(told, activity, closing)
  return told
}

function observe(told: Run, activity: Activity, closing: Partial<Closing> = {}): void {
  closeUntil(told, activity.time, closing)
  told.state.observe(activity, observation)
  if (observation.unit === null) told.late.push(activity)
  told.presence.push(...told.state.pendingPresence.splice(0))
}

function closeUntil({ state, rows, held }: Run, time: number, closing: Partial<Closing> = {}): void {
  for (const unit of state.closable(time)) {
    const closed = state.close(unit, learning(unit, closing))
    rows.push(closed.row)
    held.push(...closed.held)
  }
}

function flush(told: Run): PresenceRow[] {
  told.state.flushPresence()
  told.presence.push(...told.state.pendingPresence.splice(0))
  return told.presence
}

const at = (hour: number, minute: number, action: string): Activity =>
  activityAt((START + hour) * HOUR + minute * 60_000, `${hour}-${minute}-${action}`, { action })

/** Up to three days of activities, anywhere within the two hours that may still be open. */
const disordered = fc
  .array(
    fc.record({
      step: fc.oneof(fc.constant(0), fc.constant(1), fc.integer({ min: 2, max: 30 })),
      back: fc.integer({ min: 0, max: 2 }),
      minute: fc.integer({ min: 0, max: 59 }),
      action: fc.constantFrom('Get', 'Put', 'List', 'Head'),
      region: fc.constantFrom('', 'eu-west-1', 'us-east-1'),
    }),
    { minLength: 1, maxLength: 60 },
  )
  .map((steps) => {
    let hour = START
    return steps.map(({ step, back, minute, action, region }, i) => {
      hour += step
      const time = (hour - back) * HOUR + minute * 60_000
      return activityAt(time, `${i}`, { action, region })
    })
  })

/** feature, value and day → bits, straight from the activities. */
function bitsOf(activities: readonly Activity[]): Map<string, number> {
  const bits = new Map<string, number>()
  for (const activity of activities) {
    const hour = hourOf(activity.time)
    for (const feature of FEATURES) {
      const value = feature.of(activity)
      if (value === '') continue
      const key = `${feature.id}=${value}@${dayOf(hour)}`
      bits.set(key, (bits.get(key) ?? 0) | (1 << (hour % 24)))
    }
  }
  return bits
}

function merged(rows: readonly PresenceRow[]): Map<string, number> {
  const bits = new Map<string, number>()
  for (const { feature, value, day, hours } of rows) {
    const key = `${feature}=${value}@${day}`
    bits.set(key, (bits.get(key) ?? 0) | hours)
  }
  return bits
}

const sorted = (map: ReadonlyMap<string, number>): [string, number][] =>
  [...map].sort(([a], [b]) => (a < b ? -1 : 1))

describe('an hour', () => {
  it('does not care about the order of its activities', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            minute: fc.nat(59),
            action: fc.constantFrom('Get', 'Put', 'List'),
            outcome: fc.constantFrom('success' as const, 'denied' as const, 'failure' as const),
            region: fc.constantFrom('', 'eu-west-1', 'us-east-1'),
            bytesOut: fc.nat(100),
          }),
          { minLength: 1, maxLength: 20 },
        ),
        fc.infiniteStream(fc.nat(1000)),
        (facts, random) => {
          const hour = facts.map(({ minute, ...sketch }, i) =>
            activityAt(MONDAY + 5 * HOUR + minute * 60_000, `${i}`, sketch),
          )
          const shuffled = hour
            .map((activity) => ({ activity, key: random.next().value }))
            .sort((a, b) => a.key - b.key)
            .map(({ activity }) => activity)
          const one = run([at(0, 0, 'Get'), ...hour, at(40, 0, 'Get')])
          const other = run([at(0, 0, 'Get'), ...shuffled, at(40, 0, 'Get')])
          expect(other.rows).toEqual(one.rows)
          expect(plainState(other.state)).toEqual(plainState(one.state))
          expect(sorted(merged(flush(other)))).toEqual(sorted(merged(flush(one))))
        },
      ),
      { numRuns: 100 },
    )
  })

  it('closes two hours after its end, by the identity’s own time, and once', () => {
    const told = run([at(0, 5, 'Get'), at(2, 59, 'Get')])
    expect(told.rows).toEqual([])
    closeUntil(told, (START + 3) * HOUR)
    expect(told.rows.map((row) => row.hour)).toEqual([START])
    closeUntil(told, (START + 3) * HOUR)
    expect(told.rows).toHaveLength(1)
    const [unit] = told.state.open
    if (unit === undefined) throw new Error('nothing is open')
    told.state.close(unit, learning(unit))
    expect(() => told.state.close(unit, learning(unit))).toThrow('not open')
  })

  it('must not close before an older one', () => {
    const { state } = run([at(0, 5, 'Get'), at(1, 5, 'Get')])
    const [older, younger] = state.open
    if (older === undefined || younger === undefined) throw new Error('two should be open')
    state.close(younger, learning(younger))
    expect(() => state.close(older, learning(older))).toThrow('closed already')
  })

  it('that is closed reports what comes for it as late, and is not changed by it', () => {
    fc.assert(
      fc.property(disordered, fc.integer({ min: 0, max: 100 }), (activities, back) => {
        const told = run(activities)
        expect(told.late).toEqual([])
        const last = told.state.lastClosedHour
        fc.pre(last >= 0)
        const before = JSON.stringify(plainState(told.state))
        observe(told, activityAt(Math.max(0, last - back) * HOUR, 'late', { action: 'Delete' }))
        expect(told.late).toHaveLength(1)
        expect(observation).toMatchObject({ unit: null, fresh: [], created: [] })
        expect(JSON.stringify(plainState(told.state))).toBe(before)
      }),
    )
  })

  it('says in its row what it held', () => {
    const told = run([
      at(0, 0, 'Get'),
      activityAt(MONDAY + 5 * HOUR, 'a', { action: 'Put', outcome: 'denied', bytesOut: 7 }),
      activityAt(MONDAY + 5 * HOUR, 'b', { outcome: 'failure', bytesOut: 3, resources: ['x', 'y'] }),
      at(30, 0, 'Get'),
    ])
    expect(told.rows[1]).toMatchObject({
      identity: EXAMPLE.id,
      hour: START + 5,
      events: 2,
      denied: 1,
      failed: 1,
      bytes: 10,
      actions: 2,
      resources: 3,
      novel: ['action'],
    })
  })
})

describe('presence', () => {
  it('counts hours, not events', () => {
    const loud = Array.from({ length: 50 }, (_, i) => at(0, i, 'Put'))
    const told = run([...loud, at(1, 0, 'Get'), at(2, 0, 'Get'), at(20, 0, 'List')])
    const actions = told.state.feature('action').values
    expect(actions.get('Put')?.presence).toBe(1)
    expect(actions.get('Get')?.presence).toBe(2)
    expect(told.state.feature('action').total).toBe(3)
  })

  it('halves in 90 days', () => {
    const told = run([at(0, 0, 'Get'), at(24 * 90, 0, 'Put'), at(24 * 90 + 10, 0, 'Put')])
    const { state } = told
    const get = state.feature('action').values.get('Get')
    if (get === undefined) throw new Error('Get is unknown')
    expect(decayed(get.presence, dayOf(state.lastClosedHour) - get.day)).toBeCloseTo(0.5, 12)
    expect(state.feature('action').total).toBeCloseTo(1.5, 12)
    expect(state.moments).toMatchObject({ units: 1.5, events: 1.5 })
  })

  it('of a monthly value is still there after a month', () => {
    const told = run([at(0, 0, 'Bill'), at(31 * 24, 0, 'Get'), at(31 * 24 + 9, 0, 'Get')])
    const known = told.state.feature('action').values.get('Bill')
    expect(decayed(known?.presence ?? 0, 31)).toBeGreaterThan(0.75)
  })

  it('remembers 4096 values of a feature and no more', () => {
    const many = Array.from({ length: VALUES_PER_FEATURE + 50 }, (_, i) => at(0, 0, `Do${i}`))
    const told = run([...many, at(0, 1, 'Do0'), at(0, 2, 'Last'), at(9, 0, 'Do0')])
    const { values } = told.state.feature('action')
    expect(values.size).toBe(VALUES_PER_FEATURE)
    expect(values.has('Last')).toBe(false)
    expect(told.state.fullFeatures()).toEqual(['action'])
    expect(run([at(0, 0, 'Do0')]).state.fullFeatures()).toEqual([])
    expect(values.has('Do0')).toBe(true)
    expect(told.rows[0]?.actions).toBe(VALUES_PER_FEATURE)
  })

  it('knows first and last hour, days and novelty whatever the order within the watermark', () => {
    fc.assert(
      fc.property(disordered, (activities) => {
        const told = run(activities)
        closeUntil(told, activities.reduce((latest, a) => Math.max(latest, a.time), 0) + 3 * HOUR)
        const hours = new Map<string, Set<number>>()
        for (const a of activities) {
          const set = hours.get(a.action) ?? new Set()
          hours.set(a.action, set.add(hourOf(a.time)))
        }
        const actions = told.state.feature('action')
        let total = 0
        const lastDay = dayOf(told.state.lastClosedHour)
        for (const [action, seen] of hours) {
          const days = new Set([...seen].map(dayOf))
          const own = dayOf(Math.max(...seen))
          const known = actions.values.get(action)
          expect(known).toMatchObject({
            firstHour: Math.min(...seen),
            lastHour: Math.max(...seen),
            days: days.size,
            day: own,
          })
          const presence = [...seen].reduce((sum, hour) => sum + decayed(1, own - dayOf(hour)), 0)
          expect(known?.presence).toBeCloseTo(presence, 9)
          total += decayed(presence, lastDay - own)
          const novel = told.rows.find((row) => row.hour === Math.min(...seen))?.novel
          expect(novel).toContain('action')
        }
        expect(decayed(actions.total, lastDay - actions.day)).toBeCloseTo(total, 9)
        expect(actions.novelUnits).toBe(new Set([...hours.values()].map((seen) => Math.min(...seen))).size)
      }),
      { numRuns: 200 },
    )
  })

  it('is handed to the writer exactly, and the row of a left day in time', () => {
    fc.assert(
      fc.property(disordered, (activities) => {
        const told = run([])
        for (const [i, activity] of activities.entries()) {
          observe(told, activity)
          // All bits of days before the latest one are out, as a crash now would need them to be.
          const latest = Math.max(...activities.slice(0, i + 1).map((a) => dayOf(hourOf(a.time))))
          const due = [...bitsOf(activities.slice(0, i + 1))].filter(
            ([key]) => Number(key.slice(key.lastIndexOf('@') + 1)) < latest,
          )
          const out = merged(told.presence)
          for (const [key, bits] of due) expect([key, out.get(key)]).toEqual([key, bits])
        }
        expect(sorted(merged(flush(told)))).toEqual(sorted(bitsOf(activities)))
        // Nothing is left to say.
        const said = told.presence.length
        expect(flush(told)).toHaveLength(said)
      }),
      { numRuns: 200 },
    )
  })
})

describe('the gate', () => {
  const hold: Partial<Closing> = { gate: () => ({ to: 'hold', reason: 'rare' }) }

  it('keeps a held value out of the total, and brings it in with all its hours when promoted', () => {
    const told = run([at(0, 0, 'Get'), at(30, 0, 'Put')])
    closeUntil(told, (START + 40) * HOUR, hold)
    const actions = told.state.feature('action')
    expect(told.held.filter((row) => row.value === 'Put')).toEqual([
      {
        identity: EXAMPLE.id,
        feature: 'action',
        value: 'Put',
        hour: START + 30,
        state: 'held',
        reason: 'rare',
      },
    ])
    expect(actions.values.get('Put')).toMatchObject({ presence: 1, held: 'held' })
    // Get, a day ago.
    expect(actions.total).toBeCloseTo(2 ** (-1 / 90), 12)
    observe(told, at(50, 0, 'Put'), hold)
    closeUntil(told, (START + 60) * HOUR, { gate: () => ({ to: 'promote', reason: 'company' }) })
    expect(actions.values.get('Put')).toMatchObject({ held: 'promoted' })
    expect(told.held.at(-1)).toMatchObject({ state: 'promoted', reason: 'company', hour: START + 50 })
    const sum = [...actions.values.values()].reduce(
      (total, known) => total + decayed(known.presence, actions.day - known.day),
      0,
    )
    expect(actions.total).toBeCloseTo(sum, 9)
  })

  it('is asked about new, held and dormant values only', () => {
    const asked: string[] = []
    const noting: Partial<Closing> = {
      gate: (value) => {
        if (value.feature === 'action') asked.push(value.value)
        return { to: 'learn' }
      },
    }
    run(
      [
        at(0, 0, 'Get'),
        at(5, 0, 'Get'),
        at(10, 0, 'Get'),
        at(24 * 200, 0, 'Put'),
        at(24 * 300, 0, 'Get'),
        at(24 * 301, 0, 'Put'),
        at(24 * 302, 0, 'Put'),
      ],
      noting,
    )
    // Three hours of Get decayed to 0.3 in 300 days; one of Put to 0.46 in 101.
    expect(asked).toEqual(['Get', 'Put', 'Get', 'Put'])
  })
})

describe('the day of a value', () => {
  it('tells an earlier hour of the same day from an earlier day', () => {
    const shown = (activities: readonly Activity[]): boolean => {
      const { state } = run(activities)
      const unit = state.open.at(-1)
      const known = state.feature('action').values.get('Put')
      if (unit === undefined || known === undefined) throw new Error('Put is not there')
      return state.shownEarlierThatDay(known, unit)
    }
    expect(shown([at(10, 0, 'Put')])).toBe(false)
    expect(shown([at(10, 0, 'Put'), at(10, 9, 'Put')])).toBe(false)
    expect(shown([at(10, 0, 'Put'), at(11, 0, 'Put')])).toBe(true)
    expect(shown([at(1, 0, 'Put'), at(11, 0, 'Put')])).toBe(true)
    expect(shown([at(23, 0, 'Put'), at(24, 0, 'Put')])).toBe(false)
    expect(shown([at(1, 0, 'Put'), at(24, 0, 'Get'), at(23, 0, 'Put')])).toBe(true)
  })
})

describe('credentials', () => {
  const use = (hour: number, credential: string, address: string): Activity =>
    activityAt(MONDAY + hour * HOUR, `${hour}-${credential}-${address}`, {
      credential,
      origin: { address, network: `net of ${address}` },
    })

  it('are followed from place to place', () => {
    const state = new IdentityState(EXAMPLE, 'cloudtrail')
    const seen = [use(0, 'k', 'a'), use(1, 'k', 'b'), use(2, 'k', 'a')].map((a) => {
      const sighting = state.useCredential(a)
      return [sighting?.begun, sighting?.arrived, sighting?.uses.length]
    })
    expect(seen).toEqual([
      [true, true, 1],
      [false, true, 2],
      [false, false, 2],
    ])
    expect(state.useCredential(use(3, '', 'a'))).toBeNull()
    expect(state.useCredential(use(3, 'k', ''))).toBeNull()
  })

  it('are forgotten after 48 clock hours, each place by itself', () => {
    const state = new IdentityState(EXAMPLE, 'cloudtrail')
    state.useCredential(use(0, 'k', 'a'))
    state.useCredential(use(0, 'k', 'b'))
    expect(state.useCredential(use(48, 'k', 'a'))).toMatchObject({ begun: false, arrived: false })
    expect(state.useCredential(use(49, 'k', 'b'))).toMatchObject({ begun: false, arrived: true })
    expect(state.useCredential(use(98, 'k', 'a'))).toMatchObject({ begun: true, arrived: true })
  })

  it('are at most 64, with at most 16 places each, the latest used', () => {
    const state = new IdentityState(EXAMPLE, 'cloudtrail')
    for (let i = 0; i < 100; i++) {
      state.useCredential(use(0, 'always', `address ${i}`))
      state.useCredential(use(0, `k${i}`, 'a'))
    }
    expect(state.credentials.size).toBe(64)
    const kept = new Map(state.credentials.entries())
    expect(kept.get('always')).toHaveLength(16)
    expect(kept.has('k99')).toBe(true)
    expect(kept.has('k0')).toBe(false)
    expect(state.useCredential(use(0, 'always', 'address 17'))).toMatchObject({ arrived: false })
  })
})

it('keeps surprises for a week', () => {
  const told = run([])
  for (let day = 0; day < 20; day++) observe(told, at(day * 24, 0, 'Get'), { surprise: 3 })
  const { lastClosedHour, surprises } = told.state
  expect(surprises.map((s) => s.hour)).toEqual(
    Array.from({ length: 7 }, (_, i) => lastClosedHour - (6 - i) * (DAY / HOUR)),
  )
})

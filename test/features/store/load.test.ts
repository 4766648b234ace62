import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { dayOf, FEATURES, type FeatureId, hourOf, slotOf, weekOf } from '../../../features/feature.ts'
import type { PresenceRow, SettledUnit, StoredIdentity, UnitRow } from '../../../features/rows.ts'
import type { Activity } from '../../../ingest/activity.ts'
import { activity, emptyBatch, storeFolder, unit } from '../../support/store.ts'

const folder = storeFolder()
afterAll(() => folder.remove())

const HOUR = 3_600_000
const MIDNIGHT = 20_416 * 24
/** The baseline stays two hours behind the last closed unit: with this one, it reaches exactly to `hour`. */
const settling = (id: string, hour: number): UnitRow => unit(id, hour + 2)

describe('load', () => {
  it('knows nothing of a stranger, and says so', async () => {
    const store = await folder.open()
    const loaded = await store.load(['nobody'])
    expect(loaded.get('nobody')).toMatchObject({
      firstHour: -1,
      lastClosedHour: -1,
      closedUnits: 0,
      values: [],
      slots: [],
      open: [],
    })
    expect(await store.load([])).toEqual(new Map())
  })

  it('takes the last day from activities when presence was lost, and only up to the last closed hour', async () => {
    const store = await folder.open()
    const at = (hour: number, action: string): Activity =>
      activity(`${hour} ${action}`, 'i', hour * HOUR + 1, { action })
    await store.write({
      ...emptyBatch,
      // Of the last day, one value came through, with a bit of an hour that is not closed.
      presence: [
        { identity: 'i', feature: 'action', value: 'List', day: 20_415, hours: 0b101 },
        { identity: 'i', feature: 'action', value: 'List', day: 20_416, hours: 0b11_0001 },
        { identity: 'i', feature: 'action', value: 'Future', day: 20_417, hours: 1 },
      ],
      units: [
        unit('i', MIDNIGHT - 24),
        unit('i', MIDNIGHT),
        unit('i', MIDNIGHT + 4),
        settling('i', MIDNIGHT + 4),
      ],
      activities: [
        at(MIDNIGHT, 'List'),
        at(MIDNIGHT + 4, 'Get'),
        at(MIDNIGHT + 5, 'List'),
        at(MIDNIGHT + 6, 'New'),
      ],
    })
    const stored = (await store.load(['i'])).get('i')
    const actions = stored?.values.filter((value) => value.feature === 'action')
    expect(new Map(actions?.map((value) => [value.value, value]))).toEqual(
      new Map([
        [
          'List',
          {
            feature: 'action',
            value: 'List',
            presence: 2 + 2 * 2 ** (-1 / 90),
            firstHour: MIDNIGHT - 24,
            lastHour: MIDNIGHT + 4,
            days: 2,
            lastDayHours: 0b1_0001,
            held: '',
          },
        ],
        [
          'Get',
          {
            feature: 'action',
            value: 'Get',
            presence: 1,
            firstHour: MIDNIGHT + 4,
            lastHour: MIDNIGHT + 4,
            days: 1,
            lastDayHours: 0b1_0000,
            held: '',
          },
        ],
      ]),
    )
    expect(stored?.open.map((a) => a.action)).toEqual(['List', 'New'])
  })

  it('keeps the baseline two hours behind the last closed unit, and gives those after it to be closed again', async () => {
    const store = await folder.open()
    await store.write({
      ...emptyBatch,
      units: [MIDNIGHT, MIDNIGHT + 1, MIDNIGHT + 2, MIDNIGHT + 3].map((hour) => unit('i', hour)),
      held: [
        { identity: 'i', feature: 'action', value: 'Odd', hour: MIDNIGHT + 3, state: 'held', reason: 'rare' },
      ],
      activities: [0, 1, 2, 3, 4].map((n) => activity(String(n), 'i', (MIDNIGHT + n) * HOUR)),
    })
    const stored = (await store.load(['i'])).get('i')
    expect([stored?.lastClosedHour, stored?.closedUnits]).toEqual([MIDNIGHT + 1, 2])
    expect(stored?.settled.map((u) => [u.hour - MIDNIGHT, u.held.map((h) => h.value)])).toEqual([
      [2, []],
      [3, ['Odd']],
    ])
    expect(stored?.open.map((a) => a.uid)).toEqual(['2', '3', '4'])
  })

  it('gives open activities once each, in the order they were first written', async () => {
    const store = await folder.open()
    const late = activity('late', 'i', (MIDNIGHT + 2) * HOUR)
    const early = activity('early', 'i', (MIDNIGHT + 1) * HOUR)
    await store.write({ ...emptyBatch, activities: [late, early] })
    await store.write({ ...emptyBatch, activities: [activity('third', 'i', (MIDNIGHT + 1) * HOUR), late] })
    expect((await store.load(['i'])).get('i')?.open.map((a) => a.uid)).toEqual(['late', 'early', 'third'])
  })

  it('marks held and promoted values, and gives recent alerts in their last version', async () => {
    const store = await folder.open()
    const hours = { identity: 'i', feature: 'network' as const, day: 20_415, hours: 1 }
    const gate = { identity: 'i', feature: 'network' as const, reason: 'rare' }
    const alert = { identity: 'i', firstTime: 1, lastTime: 2, severityId: 3, version: 1, body: '{}' }
    await store.write({
      ...emptyBatch,
      presence: ['held', 'promoted', 'known'].map((value) => ({ ...hours, value })),
      held: [
        { ...gate, value: 'held', hour: 5, state: 'held' },
        { ...gate, value: 'promoted', hour: 5, state: 'held' },
        { ...gate, value: 'promoted', hour: 6, state: 'promoted' },
        { ...gate, value: 'never shown', hour: 6, state: 'held' },
      ],
      alerts: [
        { ...alert, uid: 'old', day: 20_408 },
        { ...alert, uid: 'recent', day: 20_409 },
        { ...alert, uid: 'recent', day: 20_409, version: 2, body: '{"changed":true}' },
        { ...alert, uid: 'other', day: 20_416, identity: 'j' },
      ],
      units: [unit('i', MIDNIGHT), settling('i', MIDNIGHT)],
    })
    const stored = (await store.load(['i'])).get('i')
    expect(new Map(stored?.values.map((value) => [value.value, value.held]))).toEqual(
      new Map([
        ['held', 'held'],
        ['promoted', 'promoted'],
        ['known', ''],
      ]),
    )
    expect(stored?.alerts.map((a) => [a.uid, a.version, a.body])).toEqual([['recent', 2, '{"changed":true}']])
  })

  it('remembers where credentials were used in the 48 h before the end of the last closed hour', async () => {
    const store = await folder.open()
    const use = (uid: string, hour: number, credential: string, address: string): Activity =>
      activity(uid, 'i', hour * HOUR, {
        credential,
        origin: { ...activity('x', 'x', 0).origin, address, network: `net of ${address}` },
      })
    await store.write({
      ...emptyBatch,
      units: [unit('i', MIDNIGHT), settling('i', MIDNIGHT)],
      activities: [
        use('1', MIDNIGHT - 48, 'old', 'a'),
        use('2', MIDNIGHT - 47, 'key', 'b'),
        use('3', MIDNIGHT - 20, 'key', 'a'),
        use('4', MIDNIGHT - 10, 'key', 'b'),
        use('5', MIDNIGHT, 'late', 'a'),
        use('6', MIDNIGHT, '', 'a'),
        use('7', MIDNIGHT, 'nowhere', ''),
        use('8', MIDNIGHT + 1, 'open', 'a'),
      ],
    })
    expect((await store.load(['i'])).get('i')?.credentials).toEqual([
      {
        credential: 'late',
        uses: [{ address: 'a', network: 'net of a', first: MIDNIGHT * HOUR, last: MIDNIGHT * HOUR }],
      },
      {
        credential: 'key',
        uses: [
          { address: 'b', network: 'net of b', first: (MIDNIGHT - 47) * HOUR, last: (MIDNIGHT - 10) * HOUR },
          { address: 'a', network: 'net of a', first: (MIDNIGHT - 20) * HOUR, last: (MIDNIGHT - 20) * HOUR },
        ],
      },
    ])
  })

  it('equals a fold over the same hours, for identities that stopped at very different times', async () => {
    const store = await folder.open()
    let run = 0
    await fc.assert(
      fc.asyncProperty(fc.array(history, { minLength: 1, maxLength: 6 }), async (histories) => {
        run += 1
        const expected = new Map<string, StoredIdentity>()
        const units: UnitRow[] = []
        const presence: PresenceRow[] = []
        const activities: Activity[] = []
        histories.forEach((hours, index) => {
          const id = `run ${run} identity ${index}`
          const made = hours.map((h) => unit(id, h.hour, h.unit))
          units.push(...made, settling(id, Math.max(...hours.map((h) => h.hour))))
          const seen = hours.map((h) =>
            activity(`${id} ${h.hour}`, id, h.hour * HOUR + 7, { action: h.action }),
          )
          activities.push(...seen)
          const last = Math.max(...hours.map((h) => h.hour))
          // As the pipeline does: presence of every day but the last, which has not been left.
          presence.push(...presenceOf(id, seen).filter((row) => row.day < dayOf(last)))
          expected.set(id, reference(id, made, seen))
        })
        await store.write({ ...emptyBatch, units, presence, activities })
        const loaded = await store.load([...expected.keys()])
        for (const [id, wanted] of expected) expectClose(loaded.get(id), wanted)
      }),
      { numRuns: 20 },
    )
  })
})

const history = fc.uniqueArray(
  fc.record({
    hour: fc.oneof(
      fc.integer({ min: MIDNIGHT - 60, max: MIDNIGHT }),
      fc.integer({ min: MIDNIGHT - 24 * 400, max: MIDNIGHT - 24 * 370 }),
      fc.integer({ min: 1, max: 100 }),
    ),
    action: fc.constantFrom('Get', 'Put', 'List', "O'Hara"),
    unit: fc.record({
      learned: fc.boolean(),
      learnedEvents: fc.integer({ min: 0, max: 8000 }).map((n) => n / 8),
      learnedActions: fc.integer({ min: 0, max: 50 }),
      learnedResources: fc.integer({ min: 0, max: 50 }),
      learnedDenied: fc.integer({ min: 0, max: 5 }),
      sessions: fc.integer({ min: 0, max: 5 }),
      sessionMoves: fc.integer({ min: 0, max: 5 }),
      novel: fc.subarray<FeatureId>(['action', 'network']),
      surprise: fc.constantFrom(0, 1.5, 4),
    }),
  }),
  { minLength: 1, maxLength: 30, selector: (h) => h.hour },
)

function presenceOf(id: string, activities: readonly Activity[]): PresenceRow[] {
  const rows = new Map<string, PresenceRow>()
  for (const a of activities) {
    for (const feature of FEATURES) {
      const value = feature.of(a)
      if (value === '') continue
      const hour = hourOf(a.time)
      const key = `${feature.id}\0${value}\0${dayOf(hour)}`
      const hours = (rows.get(key)?.hours ?? 0) | (1 << (hour % 24))
      rows.set(key, { identity: id, feature: feature.id, value, day: dayOf(hour), hours })
    }
  }
  return [...rows.values()]
}

function settledOf(row: UnitRow): SettledUnit {
  const { hour, learnedEvents, learnedActions, learnedResources, learnedDenied, learned, surprise } = row
  return { hour, learnedEvents, learnedActions, learnedResources, learnedDenied, learned, surprise, held: [] }
}

/** The documented meaning of StoredIdentity, written as plainly as possible. */
function reference(
  identity: string,
  units: readonly UnitRow[],
  activities: readonly Activity[],
): StoredIdentity {
  const lastClosedHour = Math.max(...units.map((u) => u.hour))
  const lastDay = dayOf(lastClosedHour)
  const slots = new Map<number, UnitRow[]>()
  for (const u of units) if (u.learned) slots.set(slotOf(u.hour), [...(slots.get(slotOf(u.hour)) ?? []), u])
  const decay = (u: UnitRow): number => 2 ** (-(lastDay - dayOf(u.hour)) / 90)
  const sum = (of: (u: UnitRow) => number): number =>
    units.reduce((total, u) => total + (u.learned ? decay(u) * of(u) : 0), 0)
  const values = new Map<string, PresenceRow[]>()
  for (const row of presenceOf(identity, activities)) {
    const key = `${row.feature}\0${row.value}`
    values.set(key, [...(values.get(key) ?? []), row])
  }
  const bits = (mask: number): number[] =>
    Array.from({ length: 24 }, (_, h) => h).filter((h) => mask & (1 << h))
  return {
    identity,
    firstHour: Math.min(...units.map((u) => u.hour)),
    lastClosedHour,
    closedUnits: units.length,
    novelUnits: Object.fromEntries(
      (['action', 'network'] as const)
        .map((id) => [id, units.filter((u) => u.novel.includes(id)).length] as const)
        .filter(([, n]) => n > 0),
    ),
    values: [...values.values()].flatMap((rows) => {
      const sorted = rows.sort((a, b) => a.day - b.day)
      const first = sorted[0]
      const last = sorted.at(-1)
      if (first === undefined || last === undefined) return []
      return {
        feature: last.feature,
        value: last.value,
        presence: sorted.reduce((s, r) => s + bits(r.hours).length * 2 ** (-(last.day - r.day) / 90), 0),
        firstHour: first.day * 24 + Math.min(...bits(first.hours)),
        lastHour: last.day * 24 + Math.max(...bits(last.hours)),
        days: sorted.length,
        lastDayHours: last.hours,
        held: '' as const,
      }
    }),
    slots: [...slots].map(([slot, of]) => {
      const lastWeek = Math.max(...of.map((u) => weekOf(u.hour)))
      return {
        slot,
        lastWeek,
        count: of.reduce((s, u) => s + u.learnedEvents * 2 ** (-(lastWeek - weekOf(u.hour)) / 8), 0),
      }
    }),
    moments: {
      lastDay,
      units: sum(() => 1),
      events: sum((u) => u.learnedEvents),
      eventsSquared: sum((u) => u.learnedEvents ** 2),
      actions: sum((u) => u.learnedActions),
      actionsSquared: sum((u) => u.learnedActions ** 2),
      resources: sum((u) => u.learnedResources),
      resourcesSquared: sum((u) => u.learnedResources ** 2),
      denied: sum((u) => u.learnedDenied),
      sessions: units.reduce((s, u) => s + decay(u) * u.sessions, 0),
      sessionMoves: units.reduce((s, u) => s + decay(u) * u.sessionMoves, 0),
      hours: Array.from({ length: 24 }, (_, h) => sum((u) => (u.hour % 24 === h ? 1 : 0))),
    },
    credentials: [],
    settled: [settledOf(settling(identity, lastClosedHour))],
    surprises: units
      .filter((u) => u.surprise > 0 && u.hour > lastClosedHour - 168)
      .sort((a, b) => a.hour - b.hour)
      .map((u) => ({ hour: u.hour, surprise: u.surprise })),
    open: [],
    alerts: [],
  }
}

function expectClose(actual: StoredIdentity | undefined, wanted: StoredIdentity): void {
  expect(actual).toBeDefined()
  if (actual === undefined) return
  const { values, slots, moments, credentials: _, ...rest } = actual
  const {
    values: wantedValues,
    slots: wantedSlots,
    moments: wantedMoments,
    credentials: __,
    ...wantedRest
  } = wanted
  expect(rest).toEqual(wantedRest)
  const key = (v: { feature: string; value: string }): string => `${v.feature} ${v.value}`
  const rounded = (n: number): number => Number(n.toPrecision(9))
  const plain = (list: StoredIdentity['values']): unknown[] =>
    [...list].sort((a, b) => (key(a) < key(b) ? -1 : 1)).map((v) => ({ ...v, presence: rounded(v.presence) }))
  expect(plain(values)).toEqual(plain(wantedValues))
  const sorted = (list: StoredIdentity['slots']): unknown[] =>
    [...list].sort((a, b) => a.slot - b.slot).map((s) => ({ ...s, count: rounded(s.count) }))
  expect(sorted(slots)).toEqual(sorted(wantedSlots))
  const { hours, ...sums } = moments
  const { hours: wantedHours, ...wantedSums } = wantedMoments
  expect(hours.map(rounded)).toEqual(wantedHours.map(rounded))
  expect(
    Object.entries(sums)
      .map(([k, v]) => [k, rounded(v)])
      .sort(),
  ).toEqual(
    Object.entries(wantedSums)
      .map(([k, v]) => [k, rounded(v)])
      .sort(),
  )
}

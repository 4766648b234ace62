import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { DISTINCT_CAP, dayOf, FEATURES, hourOf } from '../../../features/feature.ts'
import type { PresenceRow } from '../../../features/rows.ts'
import { openEngine } from '../../../features/store/client.ts'
import type { Store } from '../../../features/store/connection.ts'
import { rebuildStatements } from '../../../features/store/rebuild.ts'
import type { Session } from '../../../features/store/session.ts'
import { ACCESS_LEVELS, type Activity, EFFECTS, NETWORK_KINDS, OUTCOMES } from '../../../ingest/activity.ts'
import { activity, emptyBatch, storeFolder, unit } from '../../support/store.ts'

const folder = storeFolder()
afterAll(() => folder.remove())

const HOUR = 3_600_000
const START = 20_416 * 24

const text = fc.oneof(
  fc.constant(''),
  fc.constantFrom('a', "b'c", 'd\\e', '😀', 'A'),
  fc.string({ maxLength: 6 }),
)
const anyActivity = fc
  .record({
    identity: fc.constantFrom('i', 'j', "k'"),
    time: fc.integer({ min: START * HOUR, max: (START + 60) * HOUR }),
    action: text,
    service: text,
    resourceClass: text,
    userAgentFamily: text,
    credential: text,
    authMethod: fc.constantFrom('', 'session', 'long-term-key', 'certificate', 'private-key', 'password'),
    region: text,
    accessLevel: fc.constantFrom(...ACCESS_LEVELS),
    effect: fc.constantFrom('' as const, ...EFFECTS),
    outcome: fc.constantFrom(...OUTCOMES),
    resources: fc.array(text, { maxLength: 4 }),
    bytesOut: fc.integer({ min: 0, max: 1_000_000 }),
    origin: fc.record({
      kind: fc.constantFrom(...NETWORK_KINDS),
      address: text,
      prefix: text,
      country: text,
      asn: fc.integer({ min: 0, max: 1_000_000 }),
      network: text,
    }),
  })
  .map(({ identity, time, ...rest }) => ({ identity, time, rest }))

describe('features', () => {
  it('say in SQL what they say in code', async () => {
    const store = await folder.open()
    let run = 0
    await fc.assert(
      fc.asyncProperty(fc.array(anyActivity, { minLength: 1, maxLength: 60 }), async (drafts) => {
        run += 1
        const made = drafts.map((d, at) =>
          activity(`${run} ${at}`, `${run} ${d.identity}`, d.time, noNul(d.rest)),
        )
        // Twice: an unmerged duplicate is an ordinary sight.
        await store.write({ ...emptyBatch, activities: made })
        await store.write({ ...emptyBatch, activities: made.slice(0, 7) })
        await withSession(store, async (session) => {
          const mine = `WHERE startsWith(identity, '${run} ')`
          const presence = await session.rows(
            `SELECT identity, feature, value, day, hours FROM (${rebuildStatements.presence}) ${mine}`,
          )
          expect(sorted(presence)).toEqual(
            sorted(presenceOf(made).map((p) => [p.identity, p.feature, p.value, p.day, p.hours])),
          )
          const units = await session.rows(`SELECT * FROM (${rebuildStatements.unit}) ${mine}`)
          expect(sorted(units)).toEqual(sorted(unitsOf(made)))
        })
      }),
      { numRuns: 25 },
    )
  })

  it('count distinct actions and resources up to the same cap', async () => {
    const store = await folder.open()
    const many = Array.from({ length: DISTINCT_CAP + 10 }, (_, at) =>
      activity(`${at}`, 'i', START * HOUR, { action: `action ${at}`, resources: [`r ${at}`, 'same'] }),
    )
    await store.write({ ...emptyBatch, activities: many })
    await withSession(store, async (session) => {
      const rows = await session.rows(`SELECT events, actions, resources FROM (${rebuildStatements.unit})`)
      expect(rows).toEqual([[DISTINCT_CAP + 10, DISTINCT_CAP, DISTINCT_CAP]])
    })
  })
})

describe('check and rebuild', () => {
  it('finds nothing where everything is derived, and every kind of tampering otherwise; rebuild heals it', async () => {
    const store = await folder.open()
    const made = [0, 1, 25, 26, 49, 50].map((hour) =>
      activity(`${hour}`, 'i', (START + hour) * HOUR, { action: `do ${hour % 3}`, resources: [] }),
    )
    const closed = made
      .slice(0, 5)
      .map((a) => unit('i', hourOf(a.time), { resources: 0, surprise: 1.25, scores: { d: 2 } }))
    const left = presenceOf(made).filter((row) => row.day < dayOf(START + 49))
    await store.write({ ...emptyBatch, activities: made, units: closed, presence: left })
    expect(await store.checkRebuild()).toEqual([])

    const first = left.find((row) => row.feature === 'action' && row.value === 'do 1')
    if (first === undefined) throw new Error('no such presence')
    await withSession(store, async (session) => {
      await session.run("ALTER TABLE presence DELETE WHERE feature = 'network' SETTINGS mutations_sync = 2")
    })
    await store.write({
      ...emptyBatch,
      presence: [
        { ...first, hours: 1 << 23 },
        { ...first, value: 'never did', day: first.day + 2 },
      ],
      units: [unit('i', START + 1, { events: 7, resources: 0, bytes: 99, surprise: 1.25, scores: { d: 2 } })],
    })
    const found = await store.checkRebuild()
    expect(found.map((d) => [d.table, d.at, d.field, d.stored, d.derived])).toEqual([
      ['unit', START + 1, 'events', 7, 1],
      ['unit', START + 1, 'bytes', 99, 10],
      ['presence', first.day, 'action=do 1', first.hours | (1 << 23), first.hours],
      ['presence', first.day + 2, 'action=never did', first.hours, 0],
      ['presence', first.day, 'network=Example Networks', 0, 0b11],
      ['presence', first.day + 1, 'network=Example Networks', 0, 0b110],
    ])

    const before = await store.load(['i'])
    await store.rebuild()
    expect(await store.checkRebuild()).toEqual([])
    const after = (await store.load(['i'])).get('i')
    // What was scored and learnt is no fact of the log: it stays.
    expect(after?.surprises).toEqual(before.get('i')?.surprises)
    expect(after?.moments).toEqual(before.get('i')?.moments)
    expect((await store.scoredUnits(0, 30_000)).map((u) => u.scores)).toEqual(closed.map(() => ({ d: 2 })))
  })
})

describe('repair', () => {
  it('recomputes an hour that late activities joined, and is announced before them', async () => {
    const store = await folder.open()
    const hour = START + 3
    await store.write({
      ...emptyBatch,
      units: [unit('i', hour, { learnedEvents: 1, surprise: 2 }), unit('i', hour + 30)],
      activities: [activity('1', 'i', hour * HOUR), activity('2', 'i', (hour + 30) * HOUR)],
      presence: presenceOf([activity('1', 'i', hour * HOUR)]),
    })
    const late = [
      activity('3', 'i', hour * HOUR + 5, { action: 'Late', outcome: 'denied', resources: ['x'] }),
      activity('4', 'i', (hour - 1) * HOUR, { action: 'Later' }),
    ]
    const pairs = late.map((a) => ({ identity: 'i', hour: hourOf(a.time) }))
    await store.write({ ...emptyBatch, activities: late }, pairs)
    // A crash here leaves the pairs pending.
    expect(await store.pendingRepairs()).toEqual([...pairs].sort((a, b) => a.hour - b.hour))
    expect((await store.checkRebuild()).length).toBeGreaterThan(0)
    await store.repair(await store.pendingRepairs())
    await store.repair(pairs)
    expect(await store.pendingRepairs()).toEqual([])
    expect(await store.checkRebuild()).toEqual([])
    const stored = (await store.load(['i'])).get('i')
    expect((stored?.closedUnits ?? 0) + (stored?.settled.length ?? 0)).toBe(3)
    // The hour that had no unit teaches nothing.
    expect(stored?.moments.units).toBeCloseTo(2 ** (-1 / 90), 9)
    expect(stored?.surprises).toEqual([{ hour, surprise: 2 }])
    expect(stored?.values.find((v) => v.value === 'Late')).toMatchObject({ firstHour: hour, days: 1 })
    // The same hour can become late again.
    await store.write({ ...emptyBatch }, pairs.slice(0, 1))
    expect(await store.pendingRepairs()).toEqual(pairs.slice(0, 1))
  })
})

async function withSession(store: Store, use: (session: Session) => Promise<void>): Promise<void> {
  const engine = await openEngine({ path: folder.path, database: 'probe' }, 1)
  try {
    for (const session of engine.sessions) {
      await session.run(`USE ${folder.databaseOf(store)}`)
      await use(session)
    }
  } finally {
    for (const session of engine.sessions) await session.close()
    await engine.release()
  }
}

/** NUL never reaches the store: ingest strips it. */
function noNul(rest: Partial<Activity>): Partial<Activity> {
  return JSON.parse(JSON.stringify(rest).replaceAll('\\u0000', '_'))
}

function sorted(rows: readonly (readonly unknown[])[]): string[] {
  return rows.map((row) => JSON.stringify(row)).sort()
}

function presenceOf(activities: readonly Activity[]): PresenceRow[] {
  const rows = new Map<string, PresenceRow>()
  for (const a of activities) {
    const hour = hourOf(a.time)
    for (const feature of FEATURES) {
      const value = feature.of(a)
      if (value === '') continue
      const key = JSON.stringify([a.identity.id, feature.id, value, dayOf(hour)])
      const hours = (rows.get(key)?.hours ?? 0) | (1 << (hour % 24))
      rows.set(key, { identity: a.identity.id, feature: feature.id, value, day: dayOf(hour), hours })
    }
  }
  return [...rows.values()]
}

function unitsOf(activities: readonly Activity[]): unknown[][] {
  const hours = new Map<string, Activity[]>()
  for (const a of activities) {
    const key = JSON.stringify([a.identity.id, hourOf(a.time)])
    hours.set(key, [...(hours.get(key) ?? []), a])
  }
  return [...hours.values()].map((of) => [
    of[0]?.identity.id,
    hourOf(of[0]?.time ?? 0),
    'cloudtrail',
    of.length,
    of.filter((a) => a.outcome === 'denied').length,
    of.filter((a) => a.outcome === 'failure').length,
    new Set(of.map((a) => a.action)).size,
    new Set(of.flatMap((a) => a.resources)).size,
    of.reduce((sum, a) => sum + a.bytesOut, 0),
  ])
}

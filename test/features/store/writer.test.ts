import { afterAll, describe, expect, it } from 'vitest'
import type { AlertRow, HeldRow } from '../../../features/rows.ts'
import { openEngine } from '../../../features/store/client.ts'
import type { DeadLetter } from '../../../ingest/outcome.ts'
import { activity, emptyBatch, storeFolder, unit } from '../../support/store.ts'

const folder = storeFolder()
afterAll(() => folder.remove())

const HOUR = 3_600_000
const NOON = 490_012 * HOUR

const HOSTILE: readonly string[] = [
  "it's",
  'back\\slash\\',
  'line\nfeed\r\n\ttab',
  '"; DROP TABLE activity; --',
  '\n\nINSERT INTO activity VALUES',
  '/* open',
  '{name:String} ? %s $' + '{x}',
  'emoji 😀 family 👨‍👩‍👧 𝔘',
  '\u2028\u2029\u0085\ufeff',
  '\u0001\u001f\u007f',
  '__proto__',
  '\\N',
  'NULL',
  'ﷺ'.repeat(3),
  'long '.repeat(20_000),
]

describe('a batch', () => {
  it('brings every table back as it was, whatever the strings contain', async () => {
    const store = await folder.open()
    const activities = HOSTILE.map((text, at) =>
      activity(`uid ${at} ${text}`, `identity ${at} ${text}`, NOON + at, {
        action: text,
        service: text,
        resourceClass: text,
        resources: [text, '', text],
        errorCode: text,
        credential: text,
        session: text,
        issuance: at % 2 === 0 ? {} : { workload: text, node: text },
        userAgent: text,
        actingAs: text,
        effect: 'secret-read',
        outcome: 'denied',
        bytesOut: Number.MAX_SAFE_INTEGER,
        details: { [text]: text, grantee: '*' },
      }),
    )
    const alerts: AlertRow[] = HOSTILE.map((text, at) => ({
      uid: `alert ${at} ${text}`,
      identity: text,
      day: 20_416,
      firstTime: NOON + at,
      lastTime: NOON + at,
      severityId: 4,
      version: 1,
      body: JSON.stringify({ text }),
    }))
    const held: HeldRow[] = HOSTILE.map((text) => ({
      identity: 'holder',
      feature: 'action',
      value: text,
      hour: 490_012,
      state: 'held',
      reason: text,
    }))
    const presence = HOSTILE.map((text) => ({
      identity: 'holder',
      feature: 'action' as const,
      value: text,
      day: 20_416,
      hours: 0xffffff,
    }))
    const deadLetters: DeadLetter[] = HOSTILE.map((text, at) => ({
      verdict: { outcome: 'dead', stage: 'parse', reason: 'wrong-type', detail: text },
      position: { origin: text, line: at + 1, offset: at * 10, index: at },
      source: 'cloudtrail',
      bytes: Buffer.concat([Buffer.from([0, 255, 254, 10]), Buffer.from(text)]),
    }))
    const closed = unit('holder', 490_012, {
      scores: { 'a"b\n': 1.5, __proto__x: 2 },
      novel: ['action', 'network'],
      surprise: 3.25,
    })
    await store.write({ ...emptyBatch, activities, alerts, held, presence, deadLetters, units: [closed] })

    for (const [at, wanted] of activities.entries()) {
      const back = await store.analyst.activitiesByUid([wanted.uid], wanted.identity.id)
      expect(back, `activity ${at}`).toEqual([wanted])
    }
    expect((await store.analyst.alerts({ limit: 100 })).items).toEqual([...alerts].reverse())
    const baseline = await store.analyst.baseline('holder')
    expect(new Map(baseline.map((value) => [value.value, value]))).toEqual(
      new Map(
        HOSTILE.map((text) => [
          text,
          {
            feature: 'action',
            value: text,
            hours: 24,
            firstDay: 20_416,
            lastDay: 20_416,
            days: 1,
            held: 'held',
            reason: text,
          },
        ]),
      ),
    )
    const letters = (await store.analyst.deadLetters({ limit: 100 })).items
    expect(letters.map((letter) => letter.bytes)).toEqual(deadLetters.map((letter) => letter.bytes).reverse())
    expect(letters.map((letter) => [letter.origin, letter.index, letter.detail])).toEqual(
      deadLetters.map((d) => [d.position.origin, d.position.index, d.verdict.detail]).reverse(),
    )
    const [scored] = await store.scoredUnits(20_417, 20_417)
    expect(scored).toEqual({
      identity: 'holder',
      hour: 490_012,
      stratum: 'cloudtrail/low',
      scores: { 'a"b\n': 1.5, __proto__x: 2 },
      surprise: 3.25,
    })
    const known = await store.knownUids(
      activities.map((a) => ({ uid: a.uid, identity: a.identity.id, time: a.time })),
    )
    expect(known).toEqual(new Set(activities.map((a) => a.uid)))
  })

  it('written twice is written once', async () => {
    const store = await folder.open()
    const batch = {
      ...emptyBatch,
      alerts: [
        { uid: 'a', identity: 'i', day: 1, firstTime: 5, lastTime: 6, severityId: 3, version: 2, body: '{}' },
      ],
      held: [
        {
          identity: 'i',
          feature: 'action' as const,
          value: 'v',
          hour: 5,
          state: 'held' as const,
          reason: 'r',
        },
      ],
      // The baseline stays two hours behind the last closed unit.
      units: [unit('i', 490_010, { events: 2 }), unit('i', 490_012)],
      presence: [{ identity: 'i', feature: 'action' as const, value: 'v', day: 7, hours: 5 }],
      calibration: [{ day: 7, stratum: 's', detector: 'd', bin: -3, units: 9 }],
      activities: [activity('one', 'i', 490_010 * HOUR), activity('two', 'i', 490_013 * HOUR)],
    }
    await store.write(batch)
    const once = await store.load(['i'])
    await store.write(batch)
    const twice = await store.load(['i'])
    expect(twice).toEqual(once)
    expect(once.get('i')?.open.map((a) => a.uid)).toEqual(['two'])
    expect(await store.calibration(0, 100)).toEqual([
      { day: 7, stratum: 's', detector: 'd', bin: -3, units: 9 },
    ])
    expect((await store.analyst.alerts({ limit: 9 })).items).toHaveLength(1)
    expect((await store.analyst.identity('i'))?.events).toBe(2)
  })

  it('survives numbers and strings that ClickHouse would refuse or wrap', async () => {
    const store = await folder.open()
    await store.write({
      ...emptyBatch,
      units: [
        unit('i', 490_010, {
          bytes: 1.5,
          events: Number.NaN,
          surprise: Number.POSITIVE_INFINITY,
          scores: { d: Number.NaN },
        }),
      ],
      activities: [
        activity('bad', 'i', NOON, {
          bytesOut: -7,
          userAgent: 'half \ud83d emoji',
          origin: { ...activity('x', 'y', 0).origin, asn: 2.5 },
        }),
        activity('far', 'i', 253_402_300_799_999, { bytesOut: 1e300 }),
        activity('epoch', 'i', 0),
      ],
    })
    const back = await store.analyst.timeline('i', 0, 253_402_300_800_000, 10)
    expect(back.map((a) => [a.uid, a.time, a.bytesOut, a.origin.asn])).toEqual([
      ['epoch', 0, 10, 64_500],
      ['bad', NOON, 0, 2],
      ['far', 253_402_300_799_999, Number.MAX_SAFE_INTEGER, 64_500],
    ])
    expect((await store.scoredUnits(0, 30_000))[0]).toMatchObject({ surprise: 0, scores: { d: 0 } })
    const [partitions] = await probe(
      `SELECT arraySort(groupUniqArray(partition)) FROM system.parts WHERE active AND table = 'activity' AND database = '${folder.databaseOf(store)}'`,
    )
    expect(partitions).toEqual([['197001', '202511', '225503']])
  })

  it('keeps the last version of an alert, a held value and a calibration day', async () => {
    const store = await folder.open()
    const alert = {
      uid: 'a',
      identity: 'i',
      day: 1,
      firstTime: 5,
      lastTime: 6,
      severityId: 3,
      version: 2,
      body: '2',
    }
    const value = { identity: 'i', feature: 'action' as const, value: 'v', reason: '' }
    const bin = { day: 3, stratum: 's', detector: 'd', bin: 1 }
    await store.write({
      ...emptyBatch,
      alerts: [alert],
      held: [{ ...value, hour: 8, state: 'promoted' }],
      presence: [{ ...value, day: 0, hours: 1 }],
      calibration: [{ ...bin, units: 9 }],
    })
    await store.write({
      ...emptyBatch,
      alerts: [{ ...alert, version: 1, body: '1' }],
      held: [{ ...value, hour: 5, state: 'held' }],
      calibration: [{ ...bin, units: 4 }],
    })
    expect((await store.analyst.alert('a'))?.body).toBe('2')
    expect((await store.analyst.baseline('i')).map((v) => v.held)).toEqual(['promoted'])
    expect((await store.calibration(3, 3))[0]?.units).toBe(4)
  })

  it('makes one part of a large insert, and one per month of a batch that spans months', async () => {
    const store = await folder.open()
    const many = Array.from({ length: 60_000 }, (_, at) => activity(`u${at}`, `i${at % 50}`, NOON + at))
    await store.write({ ...emptyBatch, activities: [...many, activity('old', 'i', NOON - 40 * 24 * HOUR)] })
    const parts = await probe(
      `SELECT rows FROM system.parts WHERE active AND table = 'activity' AND database = '${folder.databaseOf(store)}' ORDER BY rows`,
    )
    expect(parts).toEqual([[1], [60_000]])
  })

  it('remembers cursors, the last value set', async () => {
    const store = await folder.open()
    expect(await store.cursor("file's")).toBeUndefined()
    await store.setCursor("file's", 'a')
    await store.setCursor("file's", 'b')
    await store.setCursor("file's", 'a')
    expect(await store.cursor("file's")).toBe('a')
  })
})

/** Raw SQL, from a database of its own beside the store's. */
async function probe(sql: string): Promise<readonly (readonly unknown[])[]> {
  const engine = await openEngine({ path: folder.path, database: 'probe' }, 1)
  try {
    return (await engine.sessions[0]?.rows(sql)) ?? []
  } finally {
    for (const session of engine.sessions) await session.close()
    await engine.release()
  }
}

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Store } from '../../../features/store/connection.ts'
import { activity, emptyBatch, storeFolder, unit } from '../../support/store.ts'

const folder = storeFolder()
afterAll(() => folder.remove())

const HOUR = 3_600_000
/** 2025-11-25 was a Tuesday. */
const TUESDAY = 20_417 * 24
let store: Store

beforeAll(async () => {
  store = await folder.open()
  const alert = { identity: 'i', day: 1, lastTime: 9, severityId: 3, version: 1, body: '{}' }
  await store.write({
    ...emptyBatch,
    alerts: [
      { ...alert, uid: 'a', firstTime: 100 },
      { ...alert, uid: 'b', firstTime: 300 },
      { ...alert, uid: 'c', firstTime: 300, severityId: 5 },
      { ...alert, uid: 'd', firstTime: 200, identity: 'j' },
    ],
    units: [
      unit('i', TUESDAY + 3, { events: 4 }),
      unit('i', TUESDAY + 3 + 168, { events: 6 }),
      unit('i', TUESDAY + 24 * 6 + 23, { events: 1 }),
      unit('J%', TUESDAY),
    ],
    presence: [{ identity: 'i', feature: 'action', value: 'Get', day: 20_417, hours: 0b1000 }],
    deadLetters: [1, 2, 3].map((line) => ({
      verdict: { outcome: 'dead', stage: 'parse', reason: 'wrong-type', detail: '' },
      position: { origin: 'file', line, offset: line, index: 0 },
      source: '',
      bytes: Buffer.from([line]),
    })),
    activities: [
      activity('1', 'i', (TUESDAY + 3) * HOUR, { action: 'Get', outcome: 'denied' }),
      activity('2', 'i', (TUESDAY + 3 + 168) * HOUR, { action: 'Put', source: 'kubernetes-audit' }),
      activity('3', 'i', (TUESDAY + 3 + 168) * HOUR + 1, { action: 'Put', outcome: 'failure' }),
      activity('4', 'j', (TUESDAY + 1) * HOUR, { credential: 'key', session: '', source: 'vault-audit' }),
      activity('5', 'k', (TUESDAY + 2) * HOUR, { credential: 'key', session: '', source: 'vault-audit' }),
    ],
  })
  // Unmerged duplicates are ordinary.
  await store.write({
    ...emptyBatch,
    activities: [activity('1', 'i', (TUESDAY + 3) * HOUR, { action: 'Get', outcome: 'denied' })],
  })
})

describe('alerts', () => {
  it('come newest first in pages that do not shift when one changes', async () => {
    const first = await store.analyst.alerts({ limit: 2 })
    expect(first.items.map((a) => a.uid)).toEqual(['c', 'b'])
    await store.write({
      ...emptyBatch,
      alerts: [
        {
          uid: 'd',
          identity: 'j',
          day: 1,
          firstTime: 200,
          lastTime: 999,
          severityId: 3,
          version: 2,
          body: '{"v":2}',
        },
      ],
    })
    const second = await store.analyst.alerts({
      limit: 2,
      ...(first.next === undefined ? {} : { after: first.next }),
    })
    expect(second.items.map((a) => [a.uid, a.version])).toEqual([
      ['d', 2],
      ['a', 1],
    ])
    expect(second.next).toBeUndefined()
  })

  it('can be narrowed to an identity and a severity', async () => {
    expect((await store.analyst.alerts({ limit: 9, identity: 'j' })).items.map((a) => a.uid)).toEqual(['d'])
    expect((await store.analyst.alerts({ limit: 9, minSeverity: 5 })).items.map((a) => a.uid)).toEqual(['c'])
    expect((await store.analyst.alerts({ limit: 9, identity: "x' OR '1'='1" })).items).toEqual([])
    expect((await store.analyst.alerts({ limit: 9, after: 'not a cursor' })).items).toEqual([])
    expect(await store.analyst.alert('nope')).toBeUndefined()
  })
})

describe('an identity', () => {
  it('is summed up', async () => {
    expect(await store.analyst.identity('i')).toEqual({
      id: 'i',
      kind: 'role',
      provider: 'aws',
      tenant: '111122223333',
      human: 'no',
      humanReason: 'a role',
      firstSeen: (TUESDAY + 3) * HOUR,
      lastSeen: (TUESDAY + 3 + 168) * HOUR + 1,
      events: 3,
      denied: 1,
      failed: 1,
      sources: ['cloudtrail', 'kubernetes-audit'],
    })
    expect(await store.analyst.identity('nobody')).toBeUndefined()
  })

  it('is found by a part of its id', async () => {
    expect((await store.analyst.identities({ text: 'j%', limit: 5 })).items.map((i) => i.id)).toEqual(['J%'])
    const page = await store.analyst.identities({ limit: 1 })
    expect([page.items.map((i) => i.id), page.next]).toEqual([['J%'], 'J%'])
    expect((await store.analyst.identities({ limit: 1, after: 'J%' })).items).toEqual([
      { id: 'i', firstHour: TUESDAY + 3, lastHour: TUESDAY + 3 + 168, units: 3, events: 11 },
    ])
  })

  it('has a baseline with the current day in it', async () => {
    const actions = (await store.analyst.baseline('i')).filter((v) => v.feature === 'action')
    expect(actions.map((v) => [v.value, v.hours, v.firstDay, v.lastDay])).toEqual([
      ['Get', 1, 20_417, 20_417],
      ['Put', 1, 20_424, 20_424],
    ])
  })

  it('has a week and days of hours', async () => {
    const grid = await store.analyst.hourGrid('i')
    expect(grid[1]?.[3]).toBe(10)
    expect(grid[0]?.[23]).toBe(1)
    expect(grid.flat().reduce((a, b) => a + b, 0)).toBe(11)
    expect(await store.analyst.dailyHours('i', 2)).toEqual([
      { hour: TUESDAY + 24 * 6 + 23, events: 1 },
      { hour: TUESDAY + 168 + 3, events: 6 },
    ])
  })

  it('has a timeline', async () => {
    const from = (TUESDAY + 3) * HOUR
    expect((await store.analyst.timeline('i', from, from + 1, 9)).map((a) => a.uid)).toEqual(['1'])
    expect((await store.analyst.timeline('i', 0, from + 999 * HOUR, 2)).map((a) => a.uid)).toEqual(['1', '2'])
    expect((await store.analyst.activitiesByUid(['3', '4', '1'], 'i')).map((a) => a.uid)).toEqual(['1', '3'])
    expect(await store.analyst.activitiesByUid([], 'i')).toEqual([])
  })
})

describe('the estate', () => {
  it('counts who ever used a value, held or not', async () => {
    await store.write({
      ...emptyBatch,
      held: [{ identity: 'i', feature: 'action', value: 'Put', hour: 5, state: 'held', reason: '' }],
    })
    const { usage: uses } = await store.loadEstate()
    const usage = new Map(uses.map((u) => [`${u.feature} ${u.value}`, u.identities]))
    expect(usage.get('action Get')).toBe(1)
    expect(usage.get('country DE')).toBe(3)
  })

  it('has identities, attributions and counts', async () => {
    const estate = await store.loadEstate()
    expect(estate.identities.map(({ kind }) => kind)).toEqual(['cloudtrail', 'cloudtrail', 'cloudtrail'])
    expect(await store.attributions(9)).toEqual([])
    expect(await store.counts()).toMatchObject({ presence: 1, unit: 4, dead_letter: 3 })
  })

  it('lists dead letters newest first', async () => {
    const page = await store.analyst.deadLetters({ limit: 2 })
    expect(page.items.map((letter) => letter.line)).toEqual([3, 2])
    const rest = await store.analyst.deadLetters({
      limit: 2,
      ...(page.next === undefined ? {} : { after: page.next }),
    })
    expect(rest.items.map((letter) => [letter.line, letter.bytes])).toEqual([[1, Buffer.from([1])]])
  })
})

import { describe, expect, it } from 'vitest'
import type { Detector, Sketch } from '../../detectors/detector.ts'
import { loadDetectors } from '../../detectors/detectors.ts'
import { isMature } from '../../detectors/scorer.ts'
import { nextCheckpoint } from '../../detectors/verdict.ts'
import { hourOf } from '../../features/feature.ts'
import type { Activity } from '../../ingest/activity.ts'
import { activityAt, DAY, EXAMPLE, HOUR, MINUTE, MONDAY, Player, story } from '../support/activities.ts'

const { all: detectors, byId } = await loadDetectors()
const named = (...ids: string[]): Detector[] => ids.map((id) => byId(id)).filter((d) => d !== undefined)

/** A detector that writes down when it was asked. */
function spy(trigger: Detector['trigger'], asked: string[]): Detector {
  const [any] = detectors
  if (any === undefined) throw new Error('no detectors')
  return {
    ...any,
    id: 'spy',
    trigger,
    score: ({ activity, unit, value }) => {
      asked.push(value === null ? `${unit.events}/${unit.actions.size}` : value.value)
      expect(unit.events).toBeGreaterThan(0)
      expect(activity.identity.id).toBe(EXAMPLE.id)
      return null
    },
  }
}

const theft: Sketch = {
  action: 'iam.amazonaws.com:CreateAccessKey',
  service: 'iam.amazonaws.com',
  accessLevel: 'permissions',
  effect: 'credential-minting',
  origin: {
    kind: 'public',
    country: 'VN',
    network: 'VNPT',
    prefix: '113.160.1.0/24',
    address: '113.160.1.1',
  },
  userAgentFamily: 'curl',
}

describe('who is asked when', () => {
  const minutes = (sketches: readonly Sketch[]): Activity[] =>
    sketches.map((sketch, i) => activityAt(MONDAY + i * MINUTE, `${i}`, sketch))

  it('about a value: once for each that the hour had not shown', () => {
    const asked: string[] = []
    new Player([spy({ on: 'value', feature: 'action' }, asked)]).play([
      ...minutes([{ action: 'A' }, { action: 'A' }, { action: 'B' }, { action: 'A' }, { action: '' }]),
      activityAt(MONDAY + HOUR, 'next', { action: 'A' }),
    ])
    expect(asked).toEqual(['A', 'B', 'A'])
  })

  it('about a count: at one, two, three and so on, then every fifth more', () => {
    const asked: string[] = []
    new Player([spy({ on: 'count', of: 'events' }, asked)]).play(
      minutes(Array.from({ length: 40 }, () => ({}))),
    )
    expect(asked.map((a) => Number(a.split('/')[0]))).toEqual([
      1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 18, 22, 27, 33, 40,
    ])
    for (let count = 1; count < 1000; count++) expect(nextCheckpoint(count)).toBeGreaterThan(count)
  })

  it('about every activity: of the kinds, or of the effects, that were named', () => {
    const asked: Record<'all' | 'kubernetes' | 'grants', string[]> = { all: [], kubernetes: [], grants: [] }
    new Player([
      spy({ on: 'activity' }, asked.all),
      spy({ on: 'activity', kinds: ['kubernetes'] }, asked.kubernetes),
      spy({ on: 'activity', effects: ['permission-grant', 'trust-change'] }, asked.grants),
    ]).play(minutes([{}, { kind: 'kubernetes' }, { effect: 'trust-change' }, { effect: 'secret-read' }]))
    expect(asked.all).toHaveLength(4)
    expect(asked.kubernetes).toHaveLength(1)
    expect(asked.grants).toHaveLength(1)
  })
})

describe('people', () => {
  const person = (sketch: Sketch): Sketch => ({ ...sketch, identity: { human: 'yes', kind: 'user' } })
  const life = [
    ...story({ title: '', habit: [person({})], now: [] }).habit,
    activityAt(MONDAY + 240 * HOUR, 'x', person({ ...theft, details: { issuedTo: 'another' } })),
    activityAt(MONDAY + 250 * HOUR, 'y', person({})),
  ]

  it('are learnt but not judged', () => {
    const player = new Player(detectors).play(life)
    expect(player.raised.size).toBe(0)
    expect(player.units.length).toBe(241)
    expect(new Set(player.units.map((unit) => unit.state))).toEqual(new Set(['learning']))
    expect(player.units.every((unit) => unit.learned)).toBe(true)
  })

  it('are not whom a robot’s account becomes by signing in once', () => {
    const bad = { ...theft, details: { issuedTo: 'another' } }
    const player = new Player(detectors).play([
      ...story({ title: '', now: [] }).habit,
      activityAt(MONDAY + 240 * HOUR, 'sign-in', person({ class: 'authentication', authMethod: 'console' })),
      activityAt(MONDAY + 240 * HOUR + MINUTE, 'theft', person({ ...bad, authMethod: 'console' })),
      activityAt(MONDAY + 250 * HOUR, 'after', {}),
    ])
    expect(player.onlyAlert().causes.map((cause) => cause.detector)).toContain(
      'credential-minted-for-another',
    )
    expect(player.units.at(-1)?.state).not.toBe('learning')
  })

  it('who also work by program are scored for that, and left alone at the console', () => {
    const desk = story({ title: '', habit: [person({})], now: [] }).habit
    const script = (at: number, uid: string): Activity =>
      activityAt(MONDAY + at * HOUR + 30 * MINUTE, uid, { authMethod: 'long-term-key' })
    const bad = { ...theft, details: { issuedTo: 'another' } }
    const past = [...desk, ...Array.from({ length: 30 }, (_, i) => script(i * 8, `cli-${i}`))]
    past.sort((a, b) => a.time - b.time)
    const at = MONDAY + 241 * HOUR
    expect(new Player(detectors).play([...past, activityAt(at, 'x', person(bad))]).raised.size).toBe(0)
    expect(new Player(detectors).play([...past, activityAt(at, 'x', bad)]).raised.size).toBe(1)
  })

  it('are judged on request', () => {
    expect(new Player(detectors, { includePeople: true }).play(life).raised.size).toBe(1)
  })
})

describe('trusted history', () => {
  const bad = { ...theft, details: { issuedTo: 'another' } }
  const habit = story({ title: '', now: [] }).habit
  const during = activityAt(MONDAY + 200 * HOUR + 30 * MINUTE, 'during', bad)
  const life = [...habit, during].sort((a, b) => a.time - b.time)

  it('teaches everything and alerts on nothing', () => {
    const player = new Player(detectors, { learnUntil: MONDAY + 239 * HOUR }).play(life)
    expect(player.raised.size).toBe(0)
    expect(player.held).toEqual([])
    const known = player
      .resident(during)
      .state.feature('action')
      .values.get(bad.action ?? '')
    expect(known).toMatchObject({ presence: 1, held: '' })
  })

  it('ends where it was told to', () => {
    const player = new Player(detectors, { learnUntil: MONDAY + 200 * HOUR }).play(life)
    expect(player.raised.size).toBe(1)
    expect(player.held.map((row) => row.value)).toContain(bad.action)
  })
})

describe('an hour that alerted', () => {
  const player = new Player(detectors).play([
    ...story({ title: '', now: [] }).habit,
    ...Array.from({ length: 50 }, (_, i) =>
      activityAt(MONDAY + 240 * HOUR + i * 1000, `theft-${i}`, {
        ...theft,
        details: { issuedTo: 'another' },
      }),
    ),
    activityAt(MONDAY + 250 * HOUR, 'after', {}),
  ])
  const unit = player.units.at(-1)

  it('teaches nothing', () => {
    expect(unit).toMatchObject({
      hour: hourOf(MONDAY) + 240,
      events: 50,
      learned: false,
      learnedEvents: 0,
      learnedActions: 0,
      surprise: 0,
    })
    expect(player.resident(activityAt(0, '')).state.moments.events).toBeLessThan(241)
  })

  it('has what it showed for the first time held back', () => {
    const held = new Map(player.held.map((row) => [row.feature, row]))
    for (const feature of ['action', 'service', 'country', 'network', 'user_agent'] as const)
      expect([feature, held.get(feature)?.state]).toEqual([feature, 'held'])
    expect(held.get('action')?.reason).toBe('sensitive: approval only')
  })

  it('raised one alert, with all that was unusual and its evidence', () => {
    const alert = player.onlyAlert()
    const ids = alert.causes.map((cause) => cause.detector)
    expect(ids).toEqual(
      expect.arrayContaining(['credential-minted-for-another', 'first-seen-action', 'first-seen-country']),
    )
    expect(ids).not.toContain('first-seen-network')
    expect(new Set(alert.causes.map((cause) => cause.family)).size).toBe(3)
    for (const cause of alert.causes) {
      expect(cause.evidence.length).toBeGreaterThan(0)
      expect(cause.evidence.length).toBeLessThanOrEqual(20)
      expect(new Set(cause.evidence).size).toBe(cause.evidence.length)
    }
    expect(alert.artefacts.length).toBeLessThanOrEqual(20)
    expect(alert.firstTime).toBe(MONDAY + 240 * HOUR)
  })
})

describe('a verdict', () => {
  const { habit } = story({ title: '', now: [] })
  const life = [
    ...habit,
    ...Array.from({ length: 30 }, (_, i) =>
      activityAt(MONDAY + 240 * HOUR + i * 2 * MINUTE, `now-${i}`, { ...theft, action: `iam:Try${i % 4}` }),
    ),
    ...Array.from({ length: 30 }, (_, i) => activityAt(MONDAY + (241 + i) * HOUR, `later-${i}`, {})),
  ]
  const whole = new Player(detectors).play(life)

  it.each([1, 3, 17, 100])('does not depend on batches of %i', (size) => {
    const player = new Player(detectors)
    for (let at = 0; at < life.length; at += size) player.play(life.slice(at, at + size))
    expect(player.units).toEqual(whole.units)
    expect(player.held).toEqual(whole.held)
    expect([...player.raised.values()]).toEqual([...whole.raised.values()])
  })

  it('about a unit of one identity is not changed by the others’ company', () => {
    const other = life.map((activity) => ({
      ...activity,
      uid: `other ${activity.uid}`,
      identity: { ...activity.identity, id: 'arn:aws:iam::111122223333:user/other' },
      action: `other ${activity.action}`,
    }))
    const both = life.flatMap((activity, i) => [activity, other[i] ?? activity])
    const scoresOf = (player: Player): string[] =>
      player.units.filter((u) => u.identity === EXAMPLE.id).map((u) => Object.keys(u.scores).sort().join())
    expect(scoresOf(new Player(detectors).play(both))).toEqual(scoresOf(whole))
  })

  it('leaves a late activity to the store, and still hears what contradicts', () => {
    const player = new Player(detectors).play(habit)
    const before = player.units.length
    player.play([
      activityAt(MONDAY + 100 * HOUR, 'late', {
        action: 'cloudtrail:StopLogging',
        effect: 'audit-tampering',
      }),
    ])
    expect(player.late).toBe(1)
    expect(player.units.length).toBe(before)
    expect(player.onlyAlert().causes.map((cause) => cause.detector)).toEqual(['audit-trail-tampering'])
  })
})

describe('maturity', () => {
  it('needs 24 closed hours and a day', () => {
    const state = new Player([]).resident(activityAt(0, '')).state
    const mature = (closedUnits: number, age: number): boolean => {
      Object.assign(state, { closedUnits, firstHour: 1000 })
      return isMature(state, 1000 + age)
    }
    expect([mature(24, 24), mature(23, 24), mature(24, 23), mature(100, 1000)]).toEqual([
      true,
      false,
      false,
      true,
    ])
  })

  it('is asked before statistics may alert: the young are only learnt', () => {
    const player = new Player(named('first-seen-action', 'first-seen-country', 'first-seen-user-agent'))
    player.play(Array.from({ length: 20 }, (_, i) => activityAt(MONDAY + i * HOUR, `${i}`, {})))
    player.play([activityAt(MONDAY + 21 * HOUR, 'x', theft)])
    expect(player.raised.size).toBe(0)
    player.play([activityAt(MONDAY + 30 * HOUR, 'y', {})])
    expect(new Set(player.units.map((unit) => unit.state))).toEqual(new Set(['learning']))
  })
})

describe('a novelty', () => {
  const ids = ['first-seen-action', 'first-seen-service', 'first-seen-country', 'first-seen-user-agent']

  it('is charged once a day, and half as much on its next', () => {
    const scores: (number | undefined)[] = []
    const player = new Player(named('first-seen-user-agent'))
    player.play(story({ title: '', now: [] }).habit)
    for (const hour of [240, 241, 245, 264, 288])
      player.play([activityAt(MONDAY + hour * HOUR, `new-${hour}`, { userAgentFamily: 'curl' })])
    player.play([activityAt(MONDAY + 400 * HOUR, 'end', {})])
    for (const hour of [240, 241, 245, 264, 288])
      scores.push(
        player.units.find((unit) => unit.hour === hourOf(MONDAY) + hour)?.scores['first-seen-user-agent'],
      )
    const [first = 0, second, third, nextDay = 0, afterThat = 0] = scores
    expect(first).toBeGreaterThan(4)
    expect([second, third]).toEqual([undefined, undefined])
    expect(nextDay / first).toBeGreaterThan(0.4)
    expect(nextDay / first).toBeLessThan(0.6)
    expect(afterThat).toBeLessThan(nextDay)
  })

  it('costs more when nobody else does it', () => {
    const scoreWith = (others: number): number => {
      const player = new Player(named(...ids))
      for (let i = 0; i < 50; i++) {
        player.estate.countIdentity('cloudtrail')
        if (i < others) player.estate.countUse('user_agent', 'curl')
      }
      player.play([
        ...story({ title: '', now: [] }).habit,
        activityAt(MONDAY + 240 * HOUR, 'x', { userAgentFamily: 'curl' }),
        activityAt(MONDAY + 250 * HOUR, 'y', {}),
      ])
      return (
        player.units.find((unit) => unit.hour === hourOf(MONDAY) + 240)?.scores['first-seen-user-agent'] ?? 0
      )
    }
    const [none, one, many] = [scoreWith(0), scoreWith(1), scoreWith(40)]
    expect(none).toBeGreaterThan(one)
    expect(one).toBeGreaterThan(many)
  })

  it('that returns after most of a year is one again', () => {
    const player = new Player(named('first-seen-user-agent'))
    const hours = Array.from({ length: 24 * 10 }, (_, i) => i)
    player.play(
      hours.map((i) =>
        activityAt(MONDAY + i * HOUR, `${i}`, { userAgentFamily: i === 5 ? 'curl' : 'boto3' }),
      ),
    )
    player.play(
      hours.map((i) => activityAt(MONDAY + 250 * DAY + i * HOUR, `later ${i}`, { userAgentFamily: 'boto3' })),
    )
    const back = MONDAY + 262 * DAY
    player.play([
      activityAt(back, 'back', { userAgentFamily: 'curl' }),
      activityAt(back + 5 * HOUR, 'end', {}),
    ])
    const unit = player.units.find((u) => u.hour === hourOf(back))
    expect(unit?.scores['first-seen-user-agent']).toBeGreaterThan(Math.log(100))
  })
})

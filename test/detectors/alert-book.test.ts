import { describe, expect, it } from 'vitest'
import {
  alertSchema,
  alertUid,
  type Cause,
  joinCause,
  joinCrossing,
  published,
} from '../../detectors/alert.ts'
import type { Sketch } from '../../detectors/detector.ts'
import { loadDetectors } from '../../detectors/detectors.ts'
import { peerGroupOf } from '../../detectors/groups.ts'
import type { Resident } from '../../detectors/residents.ts'
import { hourOf } from '../../features/feature.ts'
import { IdentityState } from '../../features/identity-state.ts'
import type { Activity } from '../../ingest/activity.ts'
import { activityAt, DAY, EXAMPLE, HOUR, MINUTE, MONDAY, Player, story } from '../support/activities.ts'

const { all: detectors } = await loadDetectors()
const { habit } = story({ title: '', now: [] })
const NIGHT = MONDAY + 240 * HOUR

const abroad: Sketch['origin'] = {
  kind: 'public',
  country: 'VN',
  network: 'VNPT',
  prefix: '113.160.1.0/24',
  address: '113.160.1.1',
}
const intrusion = Array.from({ length: 40 }, (_, i) =>
  activityAt(NIGHT + i * MINUTE, `now-${i}`, {
    action: `iam.amazonaws.com:Try${i % 6}`,
    service: 'iam.amazonaws.com',
    accessLevel: 'permissions',
    origin: abroad,
    userAgentFamily: 'curl',
    outcome: i % 2 === 0 ? 'denied' : 'success',
    effect: i === 20 ? 'credential-minting' : '',
    details: i === 20 ? { issuedTo: 'another' } : {},
  }),
)

/** The same life lived again up to a point by an identity that already has the alerts of `lived`. */
function again(lived: Player, past: readonly Activity[], now: readonly Activity[]): Player {
  const player = new Player(detectors).play(past)
  const resident: Resident = player.resident(now[0] ?? activityAt(0, ''))
  for (const alert of lived.raised.values()) resident.alerts.set(alert.day, structuredClone(alert))
  player.raised.clear()
  return player.play(now, 'store')
}

describe('an alert', () => {
  const lived = new Player(detectors).play(habit).play(intrusion)

  it('is one per identity and day', () => {
    const player = new Player(detectors)
    player.play(habit)
    player.play(intrusion)
    player.play(intrusion.map((a, i) => ({ ...a, uid: `${a.uid}-tomorrow-${i}`, time: a.time + DAY })))
    expect([...player.raised.values()].map((alert) => alert.uid)).toEqual([
      alertUid(EXAMPLE.id, NIGHT / DAY),
      alertUid(EXAMPLE.id, NIGHT / DAY + 1),
    ])
  })

  it('has a name that every run gives it', () => {
    expect(lived.onlyAlert().uid).toBe(alertUid(EXAMPLE.id, NIGHT / DAY))
    expect(lived.onlyAlert().uid).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
    expect(alertUid('a', 1)).not.toBe(alertUid('a', 2))
    expect(alertUid('a', 11)).not.toBe(alertUid('a1', 1))
  })

  it('is valid as it will be read back', () => {
    const alert = lived.onlyAlert()
    expect(alertSchema.parse(JSON.parse(JSON.stringify(alert)))).toEqual(alert)
  })

  it('says since when, with what history, and how sure', () => {
    expect(lived.onlyAlert()).toMatchObject({
      kind: 'identity',
      identity: EXAMPLE,
      firstTime: NIGHT,
      support: { hours: 238, days: 10 },
      confidence: 0.54,
      calibration: { units: expect.any(Number), state: 'uncalibrated' },
      severity: 'high',
    })
  })

  it('is left byte for byte as it was when its activities are taken again', () => {
    const [body] = [...lived.raised.values()].map((alert) => JSON.stringify(alert))
    const revived = again(lived, habit, intrusion)
    // Nothing changed, so nothing is written or told.
    expect([...revived.raised.values()]).toEqual([])
    const kept = revived.resident(intrusion[0] ?? activityAt(0, '')).alerts.get(NIGHT / DAY)
    expect(JSON.stringify(kept)).toBe(body)
  })

  it.each([1, 5, 21, 39])('ends the same when a crash after %i activities makes it begin again', (cut) => {
    const first = new Player(detectors).play(habit).play(intrusion.slice(0, cut))
    const revived = again(first, habit, intrusion)
    const [end] = revived.raised.size > 0 ? revived.raised.values() : first.raised.values()
    const { version: _, ...body } = end ?? lived.onlyAlert()
    const { version: __, ...wanted } = lived.onlyAlert()
    expect(body).toEqual(wanted)
  })

  it('tells what is new and what is noticeable, once', () => {
    const player = new Player(detectors).play(habit)
    const resident = player.resident(activityAt(0, ''))
    const told: [boolean, boolean][] = []
    for (const activity of intrusion) {
      player.scorer.score(resident, activity, 'stream')
      for (const { fresh, noticeable } of player.alerts.drain()) told.push([fresh, noticeable])
      expect(player.alerts.drain()).toEqual([])
    }
    expect(told[0]).toEqual([true, true])
    expect(told.slice(1).every(([fresh]) => !fresh)).toBe(true)
    expect(told.some(([, noticeable]) => !noticeable)).toBe(true)
  })

  it('grows in version with every change', () => {
    const player = new Player(detectors).play(habit)
    let before = 0
    for (const activity of intrusion) {
      const changed = player.raised.get(alertUid(EXAMPLE.id, NIGHT / DAY))?.version ?? 0
      player.play([activity])
      const after = player.raised.get(alertUid(EXAMPLE.id, NIGHT / DAY))?.version ?? 0
      expect(after).toBeGreaterThanOrEqual(changed)
      before = Math.max(before, after)
    }
    expect(before).toBeGreaterThan(3)
  })
})

describe('a contradiction', () => {
  it('counts outside the statistical budget', () => {
    const player = new Player(detectors).play([
      activityAt(MONDAY, 'x', { action: 'cloudtrail:StopLogging', effect: 'audit-tampering' }),
    ])
    expect(player.onlyAlert()).toMatchObject({ p: 1, severity: 'critical', confidence: 0 })
    expect(JSON.parse(player.calibration.save()).alerts).toEqual([])
  })

  it('that was tried and then done is told as done', () => {
    const tampering = (uid: string, outcome: 'denied' | 'success'): Activity =>
      activityAt(MONDAY + (uid === 'a' ? 0 : MINUTE), uid, {
        action: 'cloudtrail:StopLogging',
        effect: 'audit-tampering',
        outcome,
      })
    const player = new Player(detectors).play([tampering('a', 'denied'), tampering('b', 'success')])
    const [cause] = player.onlyAlert().causes
    expect(cause).toMatchObject({ severity: 'critical', evidence: [expect.anything(), expect.anything()] })
    expect(cause?.text).toMatch(/^Tampered/)
    const reverse = new Player(detectors).play([tampering('a', 'success'), tampering('b', 'denied')])
    expect(reverse.onlyAlert().causes[0]?.text).toMatch(/^Tampered/)
  })
})

describe('a burst', () => {
  it('is told at its height although its p is capped', () => {
    const player = new Player(detectors)
      .play(habit)
      .play([
        ...intrusion.slice(0, 4),
        ...Array.from({ length: 400 }, (_, i) =>
          activityAt(NIGHT + 10 * MINUTE + i * 1000, `burst-${i}`, { origin: abroad }),
        ),
      ])
    const cause = player.onlyAlert().causes.find((c) => c.detector === 'unusual-rate')
    expect(cause?.p).toBe(0.002)
    expect(cause?.observed.activities).toBeGreaterThan(300)
  })
})

it('takes over at most 20 pieces of evidence of what was unusual before it was raised', () => {
  const probing = Array.from({ length: 40 }, (_, i) =>
    activityAt(NIGHT + i * 1000, `probe-${i}`, { action: `s3:List${i}` }),
  )
  const player = new Player(detectors, { alertsPerDay: 0 }).play(habit).play(probing)
  expect(player.raised.size).toBe(0)
  player.play([
    activityAt(NIGHT + HOUR / 2, 'x', { action: 'cloudtrail:StopLogging', effect: 'audit-tampering' }),
  ])
  const actions = player.onlyAlert().causes.find((cause) => cause.detector === 'first-seen-action')
  expect(actions?.evidence).toHaveLength(20)
})

describe('joining', () => {
  const cause = (changes: Partial<Cause> = {}): Cause => ({
    detector: 'd',
    title: 'T',
    family: 'geography',
    analyticType: 'rule',
    attacks: [],
    value: 'v',
    p: 0.01,
    score: 5,
    contradiction: false,
    severity: 'low',
    observed: { n: 1 },
    expected: {},
    text: 'one',
    evidence: ['a'],
    firstTime: 10,
    lastTime: 10,
    ...changes,
  })
  const empty = () => {
    const causes: Cause[] = []
    return {
      ...new Player(detectors).play(habit).play(intrusion).onlyAlert(),
      causes,
      crossings: [],
      firstTime: 10,
      lastTime: 10,
      severity: 'low' as const,
    }
  }

  it('is idempotent, and tells what changed', () => {
    const alert = alertSchema.parse(empty())
    expect(joinCause(alert, cause())).toBe('noticeable')
    const once = JSON.stringify(alert)
    expect(joinCause(alert, cause())).toBe('none')
    expect(JSON.stringify(alert)).toBe(once)
    expect(joinCause(alert, cause({ evidence: ['a', 'b'] }))).toBe('evidence')
    expect(joinCause(alert, cause({ p: 0.02, score: 4, text: 'weaker', lastTime: 20 }))).toBe('evidence')
    expect(alert.causes[0]?.text).toBe('one')
    expect(joinCause(alert, cause({ score: 6, text: 'higher' }))).toBe('evidence')
    expect(joinCause(alert, cause({ p: 0.001, score: 7, text: 'rarer' }))).toBe('noticeable')
    expect(joinCause(alert, cause({ value: 'other' }))).toBe('noticeable')
    expect(alert.causes.map((c) => [c.value, c.text, c.p, c.lastTime, c.evidence.length])).toEqual([
      ['v', 'rarer', 0.001, 20, 2],
      ['other', 'one', 0.01, 10, 1],
    ])
    expect(alert.lastTime).toBe(20)
  })

  it('does not depend on order', () => {
    const causes = [
      cause(),
      cause({ p: 0.001, score: 7, text: 'rarer', evidence: ['b'] }),
      cause({ severity: 'high', text: 'graver', p: 0.001, score: 9, firstTime: 5 }),
    ]
    const joined = [causes, [...causes].reverse()].map((order) => {
      const alert = alertSchema.parse(empty())
      for (const c of order) joinCause(alert, structuredClone(c))
      return { ...alert, causes: alert.causes.map((c) => ({ ...c, evidence: [...c.evidence].sort() })) }
    })
    expect(joined[1]).toEqual(joined[0])
  })

  it('keeps 20 pieces of evidence and 20 crossings', () => {
    const alert = alertSchema.parse(empty())
    for (let i = 0; i < 30; i++) {
      joinCause(alert, cause({ evidence: [`${i}`] }))
      joinCrossing(alert, [{ detector: 'd', value: `${i % 25}` }])
    }
    expect(alert.causes[0]?.evidence).toHaveLength(20)
    expect(alert.crossings).toHaveLength(20)
    expect(joinCrossing(alert, [{ detector: 'd', value: '0' }])).toBe('none')
  })

  it('publishes three digits of a probability', () => {
    expect([published(0.00012345), published(1), published(1e-12)]).toEqual([0.000123, 1, 1e-12])
  })
})

describe('a deployment', () => {
  const robots = Array.from({ length: 6 }, (_, i) => ({
    ...EXAMPLE,
    id: `arn:aws:iam::111122223333:role/robot-${i}`,
  }))
  const life = (hours: number, sketch: Sketch, from = MONDAY): Activity[] =>
    Array.from({ length: hours }, (_, hour) =>
      robots.map((identity, i) =>
        activityAt(from + hour * HOUR + i * MINUTE, `${from}-${hour}-${i}`, { ...sketch, identity }),
      ),
    ).flat()
  const novelty: Sketch = {
    action: 'iam.amazonaws.com:CreateRole',
    accessLevel: 'write',
    effect: 'identity-creation',
  }
  const member = (i: number, time: number, sketch: Sketch = novelty): Activity =>
    activityAt(time + i * MINUTE, `new-${i}-${time}`, { ...sketch, identity: robots[i] ?? EXAMPLE })

  it('is told once for all from the third identity on, with its members', () => {
    const player = new Player(detectors).play(life(240, {}))
    player.play([0, 1, 2, 3, 4].map((i) => member(i, NIGHT)))
    const [single, second, group] = [...player.raised.values()]
    expect([single?.kind, second?.kind, group?.kind, player.raised.size]).toEqual([
      'identity',
      'identity',
      'group',
      3,
    ])
    expect(group?.identity.id).toBe(`group:${peerGroupOf('cloudtrail', EXAMPLE)}`)
    expect(group?.members).toEqual(robots.slice(0, 5).map((robot) => robot.id))
    expect(group?.causes[0]?.value).toBe(novelty.action)
    expect(alertSchema.parse(group)).toEqual(group)
    // Telling it again changes nothing.
    const before = JSON.stringify(group)
    player.play([member(4, NIGHT + 20 * MINUTE)])
    expect(JSON.stringify([...player.raised.values()].find((a) => a.kind === 'group'))).toBe(before)
  })

  it('does not hide what a member does besides', () => {
    const player = new Player(detectors).play(life(240, {}))
    player.play([0, 1, 2].map((i) => member(i, NIGHT)))
    player.play([member(3, NIGHT, { ...novelty, origin: abroad })])
    expect([...player.raised.values()].at(-1)).toMatchObject({
      kind: 'identity',
      identity: { id: robots[3]?.id },
    })
  })

  it('does not hide a contradiction', () => {
    const player = new Player(detectors).play(life(240, {}))
    const minting: Sketch = { ...novelty, effect: 'credential-minting', details: { issuedTo: 'another' } }
    player.play([0, 1, 2, 3].map((i) => member(i, NIGHT, minting)))
    expect([...player.raised.values()].filter((a) => a.kind === 'identity')).toHaveLength(4)
  })

  it('a week later is an incident of its own', () => {
    const player = new Player(detectors).play(life(240, {}))
    const others = [3, 4, 5]
    player.play([0, 1, 2].map((i) => member(i, NIGHT)))
    const quiet = life(24, {}, NIGHT + 6 * DAY)
    player.play(quiet)
    player.play(others.map((i) => member(i, NIGHT + 7 * DAY)))
    const groups = [...player.raised.values()].filter((a) => a.kind === 'group')
    expect(groups.map((g) => [g.day, g.members.length])).toEqual([
      [NIGHT / DAY, 3],
      [NIGHT / DAY + 7, 3],
    ])
  })

  it('takes part of a group: two of six are two alerts', () => {
    const player = new Player(detectors).play(life(240, {}))
    player.play([0, 1].map((i) => member(i, NIGHT)))
    expect([...player.raised.values()].map((a) => a.kind)).toEqual(['identity', 'identity'])
  })
})

it('a new resident starts without a past', () => {
  const state = new IdentityState(EXAMPLE, 'cloudtrail')
  expect(state).toMatchObject({ firstHour: -1, lastClosedHour: -1, closedUnits: 0, open: [] })
  expect(hourOf(MONDAY) % 24).toBe(0)
})

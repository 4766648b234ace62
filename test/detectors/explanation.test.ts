import { describe, expect, it } from 'vitest'
import type { Alert } from '../../detectors/alert.ts'
import { FAMILIES, type Sketch } from '../../detectors/detector.ts'
import { loadDetectors } from '../../detectors/detectors.ts'
import { explain, weightiestFirst } from '../../detectors/explanation.ts'
import { VALUES_PER_FEATURE } from '../../features/known-value.ts'
import type { Activity } from '../../ingest/activity.ts'
import { activityAt, HOUR, MINUTE, MONDAY, Player, story } from '../support/activities.ts'

const { all: detectors } = await loadDetectors()
const { habit } = story({ title: '', now: [] })
const NIGHT = MONDAY + 240 * HOUR

const hour = (sketches: readonly Sketch[]): Activity[] =>
  sketches.map((sketch, i) => activityAt(NIGHT + i * MINUTE, `now-${i}`, sketch))
const alertsOf = (now: readonly Activity[]): Alert[] => [
  ...new Player(detectors, { alertsPerDay: 20 }).play(habit).play(now).raised.values(),
]
function alertOf(now: readonly Activity[]): Alert {
  const [alert] = alertsOf(now)
  if (alert === undefined) throw new Error('no alert')
  return alert
}

const abroad: Sketch['origin'] = {
  kind: 'public',
  country: 'VN',
  network: 'VNPT',
  prefix: '113.160.1.0/24',
  address: '113.160.1.1',
}
const grant: Sketch = {
  action: 'iam.amazonaws.com:PutRolePolicy',
  service: 'iam.amazonaws.com',
  accessLevel: 'permissions',
  effect: 'permission-grant',
}
const tampering: Sketch = { action: 'cloudtrail:StopLogging', effect: 'audit-tampering' }

/** Stories with one cause, several causes in one event, several events of one cause, and independent causes. */
const stories: readonly [string, readonly Sketch[]][] = [
  ['one grant among ordinary calls', [{}, grant, {}]],
  ['a grant from abroad', [{}, { ...grant, origin: abroad, userAgentFamily: 'curl' }, {}]],
  ['everything from abroad', [{ origin: abroad }, { ...grant, origin: abroad }, { origin: abroad }]],
  ['the trail stopped', [{}, tampering, {}]],
  ['the trail stopped and a grant', [tampering, grant, {}]],
  ['two tamperings', [tampering, { ...tampering, action: 'cloudtrail:DeleteTrail' }]],
  ['the same tampering twice', [tampering, {}, tampering]],
]

describe('the counterfactual', () => {
  it.each(stories)('of %s: without the events of a cause it names, nothing is raised', (_, sketches) => {
    const now = hour(sketches)
    const alert = alertOf(now)
    const named = explain(alert).silentWithout
    const decisive = alert.causes.filter((cause) =>
      named.some((name) => name === cause.detector || name === `${cause.detector} "${cause.value}"`),
    )
    expect(decisive).toHaveLength(named.length)
    for (const cause of decisive)
      expect([cause.detector, alertsOf(now.filter((a) => !cause.evidence.includes(a.uid))).length]).toEqual([
        cause.detector,
        0,
      ])
  })

  it.each(stories)('of %s: names every cause on which it hangs', (_, sketches) => {
    const now = hour(sketches)
    const alert = alertOf(now)
    const named = explain(alert).silentWithout.join(' ')
    for (const cause of alert.causes)
      if (alertsOf(now.filter((a) => !cause.evidence.includes(a.uid))).length === 0)
        expect(named).toContain(cause.detector)
  })

  it('names the one cause, and none of two that each suffice', () => {
    expect(explain(alertOf(hour([{}, tampering, {}]))).silentWithout).toContain(
      'audit-trail-tampering "cloudtrail:StopLogging"',
    )
    const both = hour([tampering, { ...tampering, action: 'cloudtrail:DeleteTrail' }])
    expect(explain(alertOf(both)).silentWithout.join()).not.toContain('tampering')
  })
})

describe('an explanation', () => {
  const explanation = explain(alertOf(hour([{}, { ...grant, origin: abroad, userAgentFamily: 'curl' }])))

  it('names all three families, the quiet ones as well', () => {
    expect(Object.keys(explanation.families)).toEqual([...FAMILIES])
    const quiet = explain(alertOf(hour([tampering]))).families
    expect(quiet.geography).toEqual({ unusual: false, sentences: [], supporting: [] })
    expect(explanation.families.geography.unusual).toBe(true)
    expect(explanation.families['permission use'].sentences.join(' ')).toContain('PutRolePolicy')
  })

  describe('of one new action on another service', () => {
    const long = story({ title: '', hours: 1200, now: [] }).habit
    const then = MONDAY + 1200 * HOUR
    const following = (sketches: readonly Sketch[]): Alert =>
      new Player(detectors)
        .play(long)
        .play(sketches.map((sketch, i) => activityAt(then + i * MINUTE, `now-${i}`, sketch)))
        .onlyAlert()
    const detectorsOf = (alert: Alert): string[] => alert.causes.map((cause) => cause.detector).sort()
    const starts = (texts: readonly string[]): string[] =>
      texts.map((text) => text.split(' "', 1)[0] ?? '').sort()

    it('tells it once; its new service and class of resource support it', () => {
      const alert = following([{}, { ...grant, resourceClass: 'iam:role' }])
      const novel = ['first-seen-action', 'first-seen-resource-class', 'first-seen-service']
      expect(detectorsOf(alert)).toEqual(novel)
      const { families, shares, headline } = explain(alert)
      expect(starts(families['permission use'].sentences)).toEqual(['New action'])
      expect(starts(families['permission use'].supporting)).toEqual(['New resource class', 'New service'])
      expect(headline).toContain('action it never used')
      // Nothing is left out of what is counted.
      expect(shares.map((share) => share.detector).sort()).toEqual(novel)
    })

    it('leaves a new service to itself when other events show it', () => {
      const alert = following([{ service: 'another' }, { ...grant, service: 's3.amazonaws.com' }])
      expect(detectorsOf(alert)).toEqual(['first-seen-action', 'first-seen-service'])
      const { sentences, supporting } = explain(alert).families['permission use']
      expect(starts(sentences)).toEqual(['New action', 'New service'])
      expect(supporting).toEqual([])
    })
  })

  it('says what it could not see', () => {
    const routes = Array.from({ length: VALUES_PER_FEATURE }, (_, i) =>
      activityAt(MONDAY + i * 1000, `route-${i}`, { action: `GET /r${i}` }),
    )
    const stopped = activityAt(NIGHT, 'stopped', tampering)
    expect(explain(new Player(detectors).play([...habit, stopped]).onlyAlert()).blind).toEqual([])
    expect(explain(new Player(detectors).play([...routes, stopped]).onlyAlert()).blind).toEqual([
      '4096 values of action are remembered, and no more: new ones cannot be told.',
    ])
  })

  it('gives shares that add up, the weightiest first', () => {
    const sum = explanation.shares.reduce((total, s) => total + s.share, 0)
    expect(sum).toBeGreaterThan(0.95)
    expect(sum).toBeLessThan(1.05)
    const shares = explanation.shares.map((s) => s.share)
    expect([...shares].sort((a, b) => b - a)).toEqual(shares)
  })

  it('leads with the weightiest cause', () => {
    const alert = alertOf(hour([{ ...tampering, origin: abroad, userAgentFamily: 'curl' }]))
    expect(weightiestFirst(alert.causes)[0]?.detector).toBe('audit-trail-tampering')
    expect(explain(alert).headline).toBe(
      '"arn:aws:iam::111122223333:role/example": tamper with an audit trail or a guard',
    )
  })

  it('says how often such an hour is expected, unless a contradiction speaks alone', () => {
    const alert = alertOf(hour([{ ...grant, origin: abroad, userAgentFamily: 'curl' }]))
    expect(explain({ ...alert, p: 1e-5, unitsPerDay: 1000 }).expectedOnceInDays).toBe(100)
    expect(explain({ ...alert, p: 1 }).expectedOnceInDays).toBeNull()
  })

  it('is a function of the alert alone, and leaves it as it was', () => {
    const alert = alertOf(hour([tampering, { ...grant, origin: abroad }]))
    const before = JSON.stringify(alert)
    expect(explain(alert)).toEqual(explain(JSON.parse(before)))
    expect(JSON.stringify(alert)).toBe(before)
  })
})

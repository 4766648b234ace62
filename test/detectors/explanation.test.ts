import { describe, expect, it } from 'vitest'
import type { Alert } from '../../detectors/alert.ts'
import { FAMILIES, type Sketch } from '../../detectors/detector.ts'
import { loadDetectors } from '../../detectors/detectors.ts'
import { explain, weightiestFirst } from '../../detectors/explanation.ts'
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
    expect(quiet.geography).toEqual({ unusual: false, sentences: [] })
    expect(explanation.families.geography.unusual).toBe(true)
    expect(explanation.families['permission use'].sentences.join(' ')).toContain('PutRolePolicy')
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
      '"arn:aws:iam::111122223333:role/example": tamper with the audit trail',
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

import { readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { describe, expect, it } from 'vitest'
import { toDetectionFinding } from '../../../api/outputs/ocsf.ts'
import type { Alert } from '../../../detectors/alert.ts'
import { loadDetectors } from '../../../detectors/detectors.ts'
import type { Activity } from '../../../ingest/activity.ts'
import { activityAt, EXAMPLE, HOUR, MINUTE, MONDAY, Player, story } from '../../support/activities.ts'

const ajv = new Ajv2020({ strict: false, allErrors: true })
formats.default(ajv)
const validate = ajv.compile(
  JSON.parse(
    readFileSync(new URL('../../support/ocsf/detection-finding-1.8.0.schema.json', import.meta.url), 'utf8'),
  ),
)
const problems = (finding: unknown): string[] => {
  validate(JSON.parse(JSON.stringify(finding)))
  return (validate.errors ?? []).map((e) => `${e.instancePath} ${e.message} ${JSON.stringify(e.params)}`)
}

const { all: detectors } = await loadDetectors()

/** The alerts of every example of the catalogue that raises one when all detectors listen. */
const alerts = new Map<string, Alert>()
for (const detector of detectors) {
  const { habit, now } = story(detector.examples.fires)
  const raised = new Player(detectors, { alertsPerDay: 1000 }).play(habit).play(now).raised
  for (const alert of raised.values()) alerts.set(`${detector.id} ${alert.day}`, alert)
}

const INJECTION = '" \u001b[2J\n\u202e`<script>\ud800\u0000'
const hostile = (): Alert => {
  const nasty = (text: string): string => text + INJECTION
  const now: Activity = activityAt(MONDAY + 240 * HOUR, nasty('uid'), {
    action: nasty('cloudtrail:StopLogging'),
    service: nasty('cloudtrail'),
    effect: 'audit-tampering',
    accessLevel: 'permissions',
    resources: [nasty('trail')],
    errorCode: nasty('Denied'),
    credential: nasty('AKIA'),
    session: nasty('session'),
    region: nasty('region'),
    userAgent: nasty('agent'),
    userAgentFamily: nasty('agent'),
    identity: { id: nasty(EXAMPLE.id), tenant: nasty('tenant') },
    origin: { kind: 'public', country: nasty('XX'), network: nasty('net'), address: '203.0.113.7', asn: 0 },
  })
  return new Player(detectors).play([now]).onlyAlert()
}

describe('a detection finding', () => {
  it('is told of many kinds of alerts', () => expect(alerts.size).toBeGreaterThan(12))

  it.each([...alerts])('of %s is valid OCSF 1.8.0', (_, alert) => {
    expect(problems(toDetectionFinding(alert, 'create', '1.2.3'))).toEqual([])
    expect(problems(toDetectionFinding(alert, 'update', '1.2.3'))).toEqual([])
  })

  it('of hostile values is valid, and its sentences are clean', () => {
    const finding = toDetectionFinding(hostile(), 'create', '1.2.3')
    expect(problems(finding)).toEqual([])
    const { message, finding_info } = JSON.parse(JSON.stringify(finding))
    for (const text of [message, finding_info.title, finding_info.desc])
      expect(text).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}<>`]/u)
  })

  it('of a group is valid and lists its members', () => {
    const robots = [0, 1, 2, 3].map((i) => ({ ...EXAMPLE, id: `${EXAMPLE.id}-${i}` }))
    const player = new Player(detectors)
    for (let hour = 0; hour < 240; hour++)
      player.play(robots.map((identity, i) => activityAt(MONDAY + hour * HOUR, `${hour}-${i}`, { identity })))
    player.play(
      robots.map((identity, i) =>
        activityAt(MONDAY + 240 * HOUR + i * MINUTE, `new-${i}`, {
          identity,
          action: 'iam:CreateRole',
          effect: 'identity-creation',
        }),
      ),
    )
    const group = [...player.raised.values()].find((alert) => alert.kind === 'group')
    if (group === undefined) throw new Error('no group incident')
    const finding = toDetectionFinding(group, 'create', '1.2.3')
    expect(problems(finding)).toEqual([])
    expect(finding.resources).toHaveLength(4)
  })

  it('of an alert with nothing to show is valid', () => {
    const [alert] = alerts.values()
    if (alert === undefined) throw new Error('no alerts')
    const bare: Alert = {
      ...alert,
      causes: [],
      artefacts: [],
      identity: { ...alert.identity, tenant: '', humanReason: '' },
    }
    expect(problems(toDetectionFinding(bare, 'update', ''))).toEqual([])
  })

  it('says the same under one uid, in versions', () => {
    const [alert] = alerts.values()
    if (alert === undefined) throw new Error('no alerts')
    const read = (activity: 'create' | 'update'): Record<string, unknown> & { metadata: { uid: string } } =>
      JSON.parse(JSON.stringify(toDetectionFinding(alert, activity, '1')))
    expect(read('create')).toMatchObject({ activity_id: 1, type_uid: 200401, time: alert.raisedTime })
    expect(read('update')).toMatchObject({ activity_id: 2, type_uid: 200402, time: alert.lastTime })
    expect(read('update').finding_info).toMatchObject({ uid: alert.uid })
    expect(read('create').metadata.uid).toBe(`${alert.uid}:${alert.version}`)
  })

  it('leads with the cause that its title names', () => {
    const alert = hostile()
    const { finding_info } = JSON.parse(JSON.stringify(toDetectionFinding(alert, 'create', '1')))
    expect(finding_info.analytic).toMatchObject({ uid: 'audit-trail-tampering', type_id: 1 })
    expect(finding_info.title.toLowerCase()).toContain(finding_info.analytic.name.toLowerCase())
  })
})

describe('the validator', () => {
  const finding = (): Record<string, unknown> => {
    const [alert] = alerts.values()
    if (alert === undefined) throw new Error('no alerts')
    return JSON.parse(JSON.stringify(toDetectionFinding(alert, 'create', '1')))
  }

  it.each([
    ['a missing class', (f: Record<string, unknown>) => delete f.class_uid],
    ['a field that OCSF does not know', (f: Record<string, unknown>) => Object.assign(f, { extra: 1 })],
    ['a severity of none', (f: Record<string, unknown>) => Object.assign(f, { severity_id: 42 })],
    ['a time in words', (f: Record<string, unknown>) => Object.assign(f, { time: 'noon' })],
    [
      'an anomaly without observations',
      (f: Record<string, unknown>) =>
        Object.assign(f, {
          anomaly_analyses: [
            { analysis_targets: [{ name: 'x' }], anomalies: [{ observation_parameter: 'x' }] },
          ],
        }),
    ],
  ])('refuses %s', (_, damage) => {
    const broken = finding()
    expect(problems(broken)).toEqual([])
    damage(broken)
    expect(problems(broken).length).toBeGreaterThan(0)
  })
})

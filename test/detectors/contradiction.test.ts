import { describe, expect, it } from 'vitest'
import { granteesOf } from '../../detectors/contradiction.ts'
import type { Detector, Sketch } from '../../detectors/detector.ts'
import { loadDetectors } from '../../detectors/detectors.ts'
import { activityAt, DAY, EXAMPLE, HOUR, MONDAY, Player } from '../support/activities.ts'

const { byId } = await loadDetectors()
function detector(id: string): Detector {
  const found = byId(id)
  if (found === undefined) throw new Error(`no detector ${id}`)
  return found
}

/** Severity of the alert that one activity raises from the first event on, or 'silent'. */
function verdictOn(id: string, sketch: Sketch): string {
  const player = new Player([detector(id)]).play([activityAt(MONDAY, 'one', sketch)])
  return player.raised.size === 0 ? 'silent' : player.onlyAlert().severity
}

describe('granteesOf', () => {
  it.each([
    [{}, []],
    [{ grantee: '' }, []],
    [{ grantee: 'a' }, ['a']],
    [{ grantee: 'a', grantees: 'b, a,c' }, ['a', 'b', 'c']],
    [{ grantees: 'b,,c' }, ['b', 'c']],
  ])('%j', (details, grantees) => expect(granteesOf(activityAt(0, '', { details }))).toEqual(grantees))
})

describe('shared-outside', () => {
  const share = (details: Record<string, string>, changes: Sketch = {}): string =>
    verdictOn('shared-outside', {
      effect: 'sharing-outside',
      action: 's3:PutBucketPolicy',
      details,
      ...changes,
    })

  it.each([
    ['the public', { grantee: '*' }, 'high'],
    ['a foreign root', { grantee: 'arn:aws:iam::999988887777:root' }, 'high'],
    [
      'one outsider among insiders',
      { grantee: '111122223333', grantees: '111122223333,999988887777' },
      'high',
    ],
    ['a wildcard principal', { wildcard: 'true' }, 'high'],
    ['the own account', { grantee: 'arn:aws:iam::111122223333:role/other' }, 'silent'],
    ['a service', { grantee: 'lambda.amazonaws.com' }, 'silent'],
    ['nobody known', {}, 'silent'],
  ])('%s', (_, details, verdict) => expect(share(details)).toBe(verdict))

  it('tells a refused attempt apart', () => {
    expect(share({ grantee: '*' }, { outcome: 'denied' })).toBe('medium')
  })

  it('finds grants to everyone, but not the wildcards or foreign-looking names of ordinary grants', () => {
    const grant = (details: Record<string, string>): string => share(details, { effect: 'permission-grant' })
    expect(grant({ grantee: '*' })).toBe('high')
    expect(grant({ grantee: 'k8s:prod:group:ops', grantees: 'k8s:prod:group:ops,*' })).toBe('high')
    expect(grant({ grantee: 'k8s:prod:group:ops', wildcard: 'true' })).toBe('silent')
    expect(grant({ grantee: 'arn:aws:iam::999988887777:role/x' })).toBe('silent')
  })

  it('does not compare account numbers with the names of clusters', () => {
    expect(
      share(
        { grantee: 'arn:aws:iam::999988887777:role/x' },
        { effect: 'trust-change', identity: { tenant: 'prod', provider: 'kubernetes' } },
      ),
    ).toBe('silent')
  })
})

describe('self-escalation', () => {
  const grant = (details: Record<string, string>): string =>
    verdictOn('self-escalation', { effect: 'permission-grant', action: 'create rolebindings', details })

  it.each([
    ['as the target', { targetIdentity: EXAMPLE.id }, 'high'],
    ['as the grantee', { grantee: EXAMPLE.id }, 'high'],
    ['among several', { grantee: 'k8s:a', grantees: `k8s:a,${EXAMPLE.id},k8s:b` }, 'high'],
    ['of others', { grantee: 'k8s:a', grantees: 'k8s:a,k8s:b' }, 'silent'],
    ['of one whose name only begins alike', { grantees: `${EXAMPLE.id}-2,k8s:b` }, 'silent'],
  ])('%s', (_, details, verdict) => expect(grant(details)).toBe(verdict))
})

describe('a habit', () => {
  const daily = (days: number, sketch: Sketch): string[] => {
    const player = new Player([detector('audit-trail-tampering')])
    for (let day = 0; day < days; day++)
      player.play([activityAt(MONDAY + day * DAY + 9 * HOUR, `${day}`, sketch)])
    return [...player.raised.values()].map((alert) => new Date(alert.firstTime).toISOString().slice(0, 10))
  }
  const tampering: Sketch = { action: 'cloudtrail:PutEventSelectors', effect: 'audit-tampering' }

  it('is told on its first three days', () => {
    expect(daily(7, tampering)).toEqual(['2026-03-02', '2026-03-03', '2026-03-04'])
  })

  it('of doing it many times in one day is none', () => {
    const player = new Player([detector('audit-trail-tampering')])
    for (let hour = 0; hour < 20; hour++)
      player.play([activityAt(MONDAY + hour * HOUR, `${hour}`, tampering)])
    player.play([activityAt(MONDAY + DAY, 'next', tampering)])
    expect(player.raised.size).toBe(2)
  })

  it('of the action does not excuse it when its content turns bad', () => {
    const player = new Player([detector('audit-trail-tampering')])
    for (let day = 0; day < 7; day++)
      player.play([
        activityAt(MONDAY + day * DAY, `${day}`, { action: 'cloudtrail:PutEventSelectors', effect: '' }),
      ])
    expect(player.raised.size).toBe(0)
    player.play([activityAt(MONDAY + 7 * DAY, 'bad', tampering)])
    expect(player.onlyAlert().severity).toBe('critical')
  })
})

it('a token’s thief is told from its pod by the node’s address, at once', () => {
  const player = new Player([detector('kubernetes-token-off-issuance')])
  const at = (minute: number, uid: string, address: string, sketch: Sketch = {}) =>
    activityAt(MONDAY + minute * 60_000, uid, {
      kind: 'kubernetes',
      source: 'kubernetes-audit',
      identity: {
        id: 'k8s:prod:system:serviceaccount:shop:checkout',
        tenant: 'prod',
        provider: 'kubernetes',
      },
      authMethod: 'bound-token',
      credential: 'JTI=1',
      issuance: { workload: 'shop/checkout-1', node: 'node-a' },
      origin: { kind: 'private', address },
      ...sketch,
    })
  player.play([
    at(0, 'node', '10.0.1.1', {
      identity: { id: 'k8s:prod:system:node:node-a', kind: 'node', tenant: 'prod', provider: 'kubernetes' },
      credential: '',
      authMethod: 'certificate',
      issuance: {},
    }),
    at(1, 'pod', '10.0.1.1'),
  ])
  expect(player.raised.size).toBe(0)
  player.play([at(2, 'thief', '10.9.9.9')])
  expect(player.onlyAlert().causes).toMatchObject([
    { detector: 'kubernetes-token-off-issuance', value: '10.9.9.9', severity: 'critical' },
  ])
})

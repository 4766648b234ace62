import { describe, expect, it } from 'vitest'
import { asObject, isJsonObject } from '../../../ingest/json-values.ts'
import type { JsonObject } from '../../../ingest/source.ts'
import { source } from '../../../ingest/sources/okta.ts'
import {
  countBy,
  describeSamples,
  draftOf,
  draftsOf,
  hasData,
  read,
  realRecords,
  tally,
} from './auth-reading.ts'

describeSamples(source)

const event = (eventType: string, rest: JsonObject = {}): JsonObject => ({
  uuid: 'e',
  published: '2026-03-02T08:15:30Z',
  eventType,
  actor: { id: '00u1', type: 'User' },
  outcome: { result: 'SUCCESS' },
  ...rest,
})
const draft = (eventType: string, rest: JsonObject = {}) => draftOf(read(source, event(eventType, rest)))

describe('recognises', () => {
  it.each<[string, JsonObject, boolean]>([
    ['an event', event('user.session.start'), true],
    ['no actor', { ...event('x'), actor: null }, false],
    ['no time', { ...event('x'), published: undefined }, false],
    ['an Auth0 event', { date: '2026-03-02T08:15:30Z', type: 's', client_id: 'c', user_id: 'u' }, false],
    ['a Kubernetes event', { kind: 'Event', eventType: 'x' }, false],
  ])('%s', (_name, record, wanted) => {
    expect(source.recognises(record)).toBe(wanted)
  })
})

describe('meanings', () => {
  it.each([
    ['system.api_token.create', 'api_activity', 'auth', 'credential-minting'],
    ['system.api_token.revoke', 'api_activity', 'write', undefined],
    ['app.oauth2.credentials.lifecycle.create', 'api_activity', 'auth', 'credential-minting'],
    ['app.oauth2.credentials.lifecycle.delete', 'api_activity', 'write', undefined],
    ['app.oauth2.client.lifecycle.create', 'api_activity', 'write', 'identity-creation'],
    ['group.privilege.grant', 'api_activity', 'permissions', 'permission-grant'],
    ['iam.resourceset.bindings.add', 'api_activity', 'permissions', 'permission-grant'],
    ['policy.rule.update', 'api_activity', 'permissions', 'trust-change'],
    ['system.idp.lifecycle.create', 'api_activity', 'permissions', 'trust-change'],
    ['system.log_stream.lifecycle.create', 'api_activity', 'write', undefined],
    ['system.log_stream.lifecycle.deactivate', 'api_activity', 'write', 'audit-tampering'],
    ['user.session.impersonation.initiate', 'api_activity', 'write', 'impersonation'],
    ['user.session.start', 'authentication', 'auth', undefined],
    ['app.oauth2.token.grant.access_token', 'authentication', 'auth', undefined],
  ])('%s', (eventType, cls, accessLevel, effect) => {
    const found = draft(eventType)
    expect([found.class, found.accessLevel, found.effect]).toEqual([cls, accessLevel, effect])
  })
})

describe('callers and outcomes', () => {
  it.each([
    ['PublicClientApp', 'okta:acme:client:x', 'client', 'no'],
    ['AppUser', 'okta:acme:user:x', 'user', 'yes'],
    ['Directory Agent', 'okta:acme:directory-agent:x', 'workload', 'unknown'],
  ])('%s', (type, id, kind, human) => {
    const found = draftOf(read(source, event('x.y', { actor: { id: 'x', type } }), { tenant: 'acme' }))
    expect(found.identity).toMatchObject({ id, kind, human, tenant: 'acme' })
  })

  it.each([
    ['user.session.start', 'FAILURE', 'denied'],
    ['user.lifecycle.create', 'FAILURE', 'failure'],
    ['policy.evaluate_sign_on', 'DENY', 'denied'],
    ['policy.evaluate_sign_on', 'CHALLENGE', 'unknown'],
    ['policy.evaluate_sign_on', 'ALLOW', 'success'],
  ])('%s %s is %s', (eventType, result, outcome) => {
    expect(draft(eventType, { outcome: { result } }).outcome).toBe(outcome)
  })

  it('says who gained what', () => {
    const target = [
      { id: '00u2', type: 'User', alternateId: 'bob' },
      { id: '00g1', type: 'UserGroup', alternateId: 'unknown' },
    ]
    expect(draft('group.user_membership.add', { target })).toMatchObject({
      details: { grantee: 'okta::user:00u2', grant: '00g1' },
      resources: ['User:00u2', 'UserGroup:00g1'],
    })
  })
})

describe.skipIf(!hasData('auth-panther-cases'))('real records of several vendors', () => {
  const cases = realRecords('auth-panther-cases/cases.ndjson.gz')
  const ofOkta = cases.filter((each) => each.log_type === 'Okta.SystemLog')
  const verdicts = ofOkta.map((each) => read(source, asObject(each.log)))

  it('are recognised when they are of Okta, but for one without a time', () => {
    const others = cases.filter((each) => each.log_type !== 'Okta.SystemLog').map((each) => each.log)
    expect(others.filter((log) => isJsonObject(log) && source.recognises(log))).toEqual([])
    // Four have `redacted` for a time: the vendor's doing.
    expect(tally(verdicts)).toEqual({ accepted: 24, 'dead:bad-time': 4, unknown: 1 })
  })

  it('keep their meaning', () => {
    const drafts = draftsOf(verdicts)
    expect(countBy(drafts, (each) => `${each.identity.kind} ${each.identity.human}`)).toEqual({
      'user yes': 20,
      'client no': 2,
      'anonymous unknown': 2,
    })
    expect(countBy(drafts, (each) => each.effect ?? '')).toEqual({
      '': 15,
      'permission-grant': 3,
      'credential-minting': 1,
      'identity-creation': 1,
      'trust-change': 4,
    })
    expect(drafts.find((each) => each.details?.grant?.includes('Super'))?.details?.grantee).toBe(
      'okta::user:00u6eup97mAJZWYmP357',
    )
  })
})

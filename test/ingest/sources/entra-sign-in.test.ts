import { describe, expect, it } from 'vitest'
import { asObject, isJsonObject } from '../../../ingest/json-values.ts'
import type { JsonObject } from '../../../ingest/source.ts'
import { source } from '../../../ingest/sources/entra-sign-in.ts'
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

const record = (category: string, properties: JsonObject, rest: JsonObject = {}): JsonObject => ({
  time: '2026-03-02T08:15:40Z',
  category,
  tenantId: 't',
  properties,
  ...rest,
})
const draft = (category: string, properties: JsonObject, rest: JsonObject = {}) =>
  draftOf(read(source, record(category, properties, rest)))

describe('recognises', () => {
  it.each<[string, JsonObject, boolean]>([
    ['a sign-in', record('SignInLogs', {}), true],
    ['an audit record', record('AuditLogs', { initiatedBy: {} }), true],
    ['an audit record of another Azure service', record('AuditLogs', { operation: 'x' }), false],
    ['another category', record('Administrative', {}), false],
    ['no properties', { category: 'SignInLogs' }, false],
  ])('%s', (_name, entry, wanted) => {
    expect(source.recognises(entry)).toBe(wanted)
  })
})

describe('sign-ins', () => {
  it.each<[JsonObject, string, string]>([
    [{ resultType: 0 }, 'success', ''],
    [{ resultType: 'Success' }, 'success', ''],
    [{ resultType: '50126' }, 'denied', '50126'],
    [{ resultType: 50074 }, 'failure', '50074'],
    [{}, 'unknown', ''],
  ])('%j is %s', (rest, outcome, errorCode) => {
    expect(draft('SignInLogs', { userId: 'u' }, rest)).toMatchObject({ outcome, errorCode })
  })

  it('believes the status of the sign-in before that of the envelope', () => {
    expect(draft('SignInLogs', { status: { errorCode: 50126 } }, { resultType: '0' }).outcome).toBe('denied')
  })

  it.each<[string, JsonObject, string]>([
    ['app without a principal', { appId: 'a' }, 'entra:t:app:a'],
    ['zero principal', { servicePrincipalId: '00000000-0000-0000-0000-000000000000' }, 'entra:t:anonymous'],
    ['nothing', {}, 'entra:t:anonymous'],
  ])('%s', (_name, properties, id) => {
    expect(draft('ServicePrincipalSignInLogs', properties).identity.id).toBe(id)
  })

  it('does not make an identity of an application id that was refused and has no principal', () => {
    const refused = { resultType: '700016' }
    expect(draft('ServicePrincipalSignInLogs', { appId: 'typed' }, refused)).toMatchObject({
      identity: { id: 'entra:t:anonymous', kind: 'anonymous' },
      details: { appId: 'typed' },
    })
    const known = { appId: 'a', servicePrincipalId: 'sp' }
    expect(draft('ServicePrincipalSignInLogs', known, refused).identity.id).toBe('entra:t:sp:sp')
  })

  it('takes the tenant from the path of the resource when nothing else says it', () => {
    const rest = { tenantId: null, resourceId: '/tenants/t-9/providers/Microsoft.aadiam' }
    expect(draft('SignInLogs', { userId: 'u' }, rest).identity).toMatchObject({
      id: 'entra:t-9:user:u',
      tenant: 't-9',
    })
  })
})

describe('changes of the directory', () => {
  const change = (activityDisplayName: string, changed: string[] = [], type = 'Application') =>
    draft('AuditLogs', {
      activityDisplayName,
      result: 'success',
      initiatedBy: { app: { servicePrincipalId: 'sp' } },
      targetResources: [
        { id: 'x', type, modifiedProperties: changed.map((displayName) => ({ displayName })) },
      ],
    })

  it.each<[string, string[], string | undefined]>([
    ['Add service principal credentials', [], 'credential-minting'],
    ['Update application – Certificates and secrets management ', [], 'credential-minting'],
    ['Update application', ['KeyDescription'], 'credential-minting'],
    ['Update application', ['DisplayName'], undefined],
    ['Add member to role', [], 'permission-grant'],
    ['Add delegated permission grant', [], 'permission-grant'],
    ['Set federation settings on domain', [], 'trust-change'],
    ['Add service principal', [], 'identity-creation'],
    ['Add user', [], 'identity-creation'],
    ['Delete conditional access policy', [], 'trust-change'],
    ['Update user', [], undefined],
  ])('%s %j', (name, changed, effect) => {
    expect(change(name, changed).effect).toBe(effect)
  })

  it('takes no policy for an identity', () => {
    expect(change('Update policy', [], 'Policy').details).toEqual({})
    expect(change('Update policy', [], 'User').details).toEqual({ targetIdentity: 'entra:t:user:x' })
  })
})

describe('calls to Graph', () => {
  const call = (requestMethod: string, path: string, rest: JsonObject = {}) =>
    draft('MicrosoftGraphActivityLogs', {
      requestMethod,
      requestUri: `https://graph.microsoft.com${path}`,
      servicePrincipalId: 'sp',
      responseStatusCode: 200,
      ...rest,
    })

  it.each([
    ['POST', '/v1.0/applications/1/addPassword', 'auth', 'credential-minting'],
    ['POST', '/v1.0/servicePrincipals/1/appRoleAssignedTo', 'permissions', 'permission-grant'],
    ['POST', '/beta/roleManagement/directory/roleAssignments', 'permissions', 'permission-grant'],
    ['POST', '/v1.0/applications/1/federatedIdentityCredentials', 'permissions', 'trust-change'],
    ['POST', '/v1.0/users', 'write', 'identity-creation'],
    ['POST', '/v1.0/users/', 'write', 'identity-creation'],
    ['POST', '//v1.0//users', 'write', 'identity-creation'],
    ['POST', '/v1.0/applications/1/microsoft.graph.addPassword', 'auth', 'credential-minting'],
    ['POST', '/v1.0/users/1/sendMail', 'write', undefined],
    ['GET', '/v1.0/roleManagement/directory/roleAssignments', 'read', undefined],
    ['DELETE', '/v1.0/users/1', 'write', undefined],
  ])('%s %s', (method, path, accessLevel, effect) => {
    const found = call(method, path)
    expect([found.accessLevel, found.effect]).toEqual([accessLevel, effect])
  })

  it('names the user when no application stands for itself', () => {
    const found = call('GET', '/v1.0/me', { servicePrincipalId: '', userId: 'u', appId: 'a' })
    expect(found.identity).toMatchObject({ id: 'entra:t:user:u', human: 'unknown' })
  })

  it.each(['', 'x', '://', 'https://graph.microsoft.com', '/v1.0/me'])(
    'survives the address %j',
    (requestUri) => {
      expect(call('GET', '', { requestUri }).action.startsWith('GET')).toBe(true)
    },
  )
})

describe.skipIf(!hasData('auth-panther-cases'))('real records of several vendors', () => {
  const cases = realRecords('auth-panther-cases/cases.ndjson.gz')
  const verdicts = cases
    .filter((each) => each.log_type === 'Azure.Audit')
    .map((each) => read(source, asObject(each.log)))

  it('are recognised exactly when they are of Entra, and all read', () => {
    const others = cases.filter((each) => each.log_type !== 'Azure.Audit').map((each) => each.log)
    expect(others.filter((log) => isJsonObject(log) && source.recognises(log))).toEqual([])
    expect(tally(verdicts)).toEqual({ accepted: 30 })
  })

  it('keep their meaning', () => {
    const drafts = draftsOf(verdicts)
    expect(countBy(drafts, (each) => `${each.identity.kind} ${each.identity.human}`)).toEqual({
      'user yes': 23,
      'client no': 7,
    })
    expect(countBy(drafts, (each) => each.outcome)).toEqual({ success: 22, denied: 7, failure: 1 })
    expect(drafts.filter((each) => each.credential !== undefined).map((each) => each.credential)).toEqual([
      '2afc776a-4e79-4588-b2ad-f62c94d6bea8',
    ])
  })
})

import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../../ingest/source.ts'
import { source } from '../../../ingest/sources/keycloak.ts'
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

const event = (type: string, rest: JsonObject = {}): JsonObject => ({
  id: 'e',
  time: 1_772_439_330_123,
  type,
  realmId: 'shop',
  clientId: 'web',
  userId: 'u',
  ipAddress: '192.0.2.1',
  ...rest,
})
const admin = (
  operationType: string,
  resourceType: string,
  resourcePath: string,
  body?: unknown,
): JsonObject => ({
  id: 'a',
  time: 1_772_439_330_123,
  realmId: 'shop',
  authDetails: { realmId: 'shop', userId: 'u-9', clientId: 'c-9', ipAddress: '10.0.0.8' },
  operationType,
  resourceType,
  resourcePath,
  ...(body === undefined ? {} : { representation: JSON.stringify(body) }),
})
const draft = (record: JsonObject | string) => draftOf(read(source, record))

describe('recognises', () => {
  it.each<[string, JsonObject, boolean]>([
    ['its logger', { loggerName: 'org.keycloak.events', message: '' }, true],
    ['another logger', { loggerName: 'org.keycloak.services', message: 'type="LOGIN"', realmId: 'r' }, false],
    ['an event', event('LOGIN'), true],
    ['an admin event', admin('CREATE', 'USER', 'users/1'), true],
    ['no realm', { type: 'LOGIN', clientId: 'web' }, false],
    ['a type in lower case', event('login'), false],
  ])('%s', (_name, record, wanted) => {
    expect(source.recognises(record)).toBe(wanted)
  })

  it.each([
    ['2026-03-02 08:15:30,123 WARN  [org.keycloak.events] (t) type="LOGIN_ERROR", realmId="r"', true],
    ['2026-03-02 08:15:30,123 INFO  [org.keycloak.services] (t) started', false],
    [`${'x'.repeat(100)} [org.keycloak.events] type="LOGIN"`, false],
  ])('the console line %s', (line, wanted) => {
    expect(read(source, line) !== undefined).toBe(wanted)
  })
})

describe('callers', () => {
  it.each<[string, JsonObject, string, string]>([
    ['refresh is made by the client', event('REFRESH_TOKEN'), 'keycloak:shop:client:web', 'no'],
    ['code exchange belongs to the person', event('CODE_TO_TOKEN'), 'keycloak:shop:user:u', 'yes'],
    [
      'typed name without an id',
      event('LOGIN_ERROR', { userId: null, error: 'user_not_found', details: { username: 'root' } }),
      'keycloak:shop:anonymous',
      'unknown',
    ],
    [
      'typed name of a service account',
      event('LOGIN_ERROR', {
        userId: null,
        error: 'user_not_found',
        details: { username: 'service-account-x1' },
      }),
      'keycloak:shop:anonymous',
      'unknown',
    ],
    [
      'typed name, the error unnamed',
      event('LOGIN_ERROR', { userId: null, details: { username: 'x2' } }),
      'keycloak:shop:anonymous',
      'unknown',
    ],
    [
      'client that does not exist',
      event('CLIENT_LOGIN_ERROR', { clientId: 'x3', userId: null, error: 'client_not_found' }),
      'keycloak:shop:anonymous',
      'unknown',
    ],
    [
      'client without a name',
      event('CLIENT_LOGIN', { clientId: null }),
      'keycloak:shop:anonymous',
      'unknown',
    ],
    ['realm by name', event('LOGIN', { realmName: 'Shop' }), 'keycloak:Shop:user:u', 'yes'],
  ])('%s', (_name, record, id, human) => {
    expect(draft(record).identity).toMatchObject({ id, human })
  })

  it('keeps chosen details only', () => {
    const details = {
      code_id: 'secret',
      username: 'ann',
      grant_type: 'password',
      token_id: 7,
      constructor: 'x',
    }
    expect(draft(event('LOGIN', { details })).details).toEqual({ grantType: 'password', userId: 'u' })
  })
})

describe('failures', () => {
  it.each<[string, JsonObject, string]>([
    ['CLIENT_LOGIN_ERROR', { error: 'invalid_client_credentials' }, 'denied'],
    ['CLIENT_LOGIN_ERROR', { error: 'invalid_request' }, 'failure'],
    ['LOGIN_ERROR', {}, 'failure'],
    ['INTROSPECT_TOKEN_ERROR', { error: 'client_disabled', details: { token_id: 't' } }, 'failure'],
    ['INTROSPECT_TOKEN_ERROR', { error: 'invalid_client_credentials' }, 'denied'],
  ])('%s %j is %s', (type, rest, outcome) => {
    expect(draft(event(type, rest)).outcome).toBe(outcome)
  })
})

describe('what administrators do', () => {
  it.each<[string, JsonObject, string | undefined]>([
    ['new client', admin('CREATE', 'CLIENT', 'clients/1', { clientId: 'x' }), 'identity-creation'],
    ['client changed', admin('UPDATE', 'CLIENT', 'clients/1', { enabled: false }), undefined],
    ['new user', admin('CREATE', 'USER', 'users/1'), 'identity-creation'],
    ['password set', admin('ACTION', 'USER', 'users/1/reset-password'), 'credential-minting'],
    ['secret renewed', admin('ACTION', 'CLIENT', 'clients/1/client-secret'), 'credential-minting'],
    [
      'key pair generated',
      admin('ACTION', 'CLIENT', 'clients/1/certificates/jwt.credential/generate'),
      'credential-minting',
    ],
    ['person impersonated', admin('ACTION', 'USER', 'users/1/impersonation'), 'impersonation'],
    [
      'role given',
      admin('CREATE', 'CLIENT_ROLE_MAPPING', 'users/1/role-mappings/clients/2', [{ name: 'a' }]),
      'permission-grant',
    ],
    ['role taken', admin('DELETE', 'REALM_ROLE_MAPPING', 'users/1/role-mappings/realm'), undefined],
    ['group joined', admin('CREATE', 'GROUP_MEMBERSHIP', 'users/1/groups/2'), 'permission-grant'],
    [
      'role made composite',
      admin('CREATE', 'REALM_ROLE', 'roles/a/composites', [{ name: 'b' }]),
      'permission-grant',
    ],
    [
      'identity provider',
      admin('UPDATE', 'IDENTITY_PROVIDER', 'identity-provider/instances/x'),
      'trust-change',
    ],
    ['events cleared', admin('DELETE', 'REALM', 'events'), 'audit-tampering'],
    ['admin events cleared', admin('DELETE', 'REALM', 'admin-events'), 'audit-tampering'],
    ['events switched off', admin('UPDATE', 'REALM', '', { eventsEnabled: false }), 'audit-tampering'],
    [
      'realm saved by the console',
      admin('UPDATE', 'REALM', '', { eventsEnabled: true, accessTokenLifespan: 300 }),
      undefined,
    ],
    ['realm deleted', admin('DELETE', 'REALM', 'shop'), 'data-destruction'],
  ])('%s', (_name, record, effect) => {
    expect(draft(record).effect).toBe(effect)
  })

  it('names roles and grantee, and never copies a secret', () => {
    const grant = draft(
      admin('CREATE', 'REALM_ROLE_MAPPING', 'users/7/role-mappings/realm', [{ name: 'a' }, { name: 'b' }]),
    )
    expect(grant.details).toMatchObject({ grant: 'a b', grantee: 'keycloak:shop:user:7' })
    const made = draft(
      admin('CREATE', 'CLIENT', 'clients/1', { clientId: 'x', secret: 'hunter2', enabled: true }),
    )
    expect(made.details).toMatchObject({
      targetIdentity: 'keycloak:shop:client:x',
      clientUuid: '1',
      enabled: 'true',
    })
    expect(JSON.stringify(made)).not.toContain('hunter2')
  })

  it('survives a representation that is no JSON or is huge', () => {
    for (const representation of ['{"clientId":', 'x'.repeat(1_000_000)]) {
      expect(draft({ ...admin('CREATE', 'CLIENT', 'clients/1'), representation }).effect).toBe(
        'identity-creation',
      )
    }
  })
})

describe.skipIf(!hasData('keycloak-own'))('a real Keycloak with a stolen client secret', () => {
  const versions = ['26.7.5', '26.4.0'] as const
  const logs = new Map(
    versions.map((version) => [
      version,
      realRecords(`keycloak-own/events-${version}.ndjson.gz`).map((record) => read(source, record)),
    ]),
  )

  it.each(versions)('%s: every record is read', (version) => {
    const verdicts = logs.get(version) ?? []
    expect(tally(verdicts)).toEqual({ accepted: 248 })
    const drafts = draftsOf(verdicts)
    expect(new Set(drafts.map((each) => each.eventId)).size).toBe(248)
    expect(countBy(drafts, (each) => each.class)).toEqual({ api_activity: 18, authentication: 230 })
    const shown = countBy(drafts, (each) => `${each.identity.kind} ${each.identity.human}`)
    expect(shown).toMatchObject({ 'anonymous unknown': 2, 'user unknown': 18, 'user yes': 10 })
  })

  it.each(versions)('%s: the thief has the identity and the credential of payments-svc', (version) => {
    const drafts = draftsOf(logs.get(version) ?? [])
    const home = drafts.find((each) => each.origin === '10.20.3.11')
    expect(home?.identity.id).toBe('keycloak:shop:client:payments-svc')
    const stolen = drafts.filter(
      (each) =>
        each.origin === '203.0.113.77' && each.outcome === 'success' && each.action === 'CLIENT_LOGIN',
    )
    expect(stolen).toHaveLength(6)
    for (const each of stolen) {
      expect(each.identity).toEqual(home?.identity)
      expect(each.credential).toBe(home?.credential)
    }
    const spread = drafts.filter(
      (each) => each.origin === '203.0.113.77' && each.errorCode === 'invalid_client_credentials',
    )
    expect(new Set(spread.map((each) => each.identity.id)).size).toBe(5)
    expect(drafts.find((each) => each.action.startsWith('TOKEN_EXCHANGE'))?.effect).toBe('impersonation')
  })

  it.each(versions)('%s: nothing succeeds by the old secret after the response', (version) => {
    const drafts = draftsOf(logs.get(version) ?? [])
    const cut = drafts.find((each) => each.origin === '10.20.0.50' && each.details?.enabled === 'false')
    const renewed = drafts.find((each) => each.action === 'ACTION CLIENT client-secret')
    expect(renewed).toMatchObject({ effect: 'credential-minting', origin: '10.20.0.50' })
    expect(renewed?.details?.clientUuid).toBe(cut?.details?.clientUuid)
    const after = drafts.filter(
      (each) => each.origin === '203.0.113.77' && each.time > (cut?.time ?? Infinity),
    )
    expect(after.map((each) => `${each.outcome} ${each.errorCode}`)).toEqual([
      ...Array.from({ length: 4 }, () => 'denied client_disabled'),
      'denied invalid_client_credentials',
    ])
  })
})

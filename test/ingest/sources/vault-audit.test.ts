import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../../ingest/source.ts'
import { source } from '../../../ingest/sources/vault-audit.ts'
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

const who = {
  accessor: 'a',
  client_token: 't',
  display_name: 'approle',
  entity_id: 'e',
  policies: ['p'],
  token_ttl: 60,
}
const line = (
  operation: string,
  path: string,
  rest: JsonObject = {},
  request: JsonObject = {},
): JsonObject => ({
  time: '2026-03-02T08:15:30Z',
  type: 'response',
  auth: who,
  request: { id: 'r', operation, path, client_token: 't', ...request },
  ...rest,
})
const draft = (operation: string, path: string, rest: JsonObject = {}, request: JsonObject = {}) =>
  draftOf(read(source, line(operation, path, rest, request)))

describe('recognises', () => {
  it.each<[string, JsonObject, boolean]>([
    ['response', line('read', 'kv/a'), true],
    ['request', { ...line('read', 'kv/a'), type: 'request' }, true],
    ['another type', { ...line('read', 'kv/a'), type: 'event' }, false],
    ['no path', { type: 'request', request: { operation: 'read' } }, false],
    ['a request that is text', { type: 'request', request: 'GET /' }, false],
  ])('%s', (_name, record, wanted) => {
    expect(source.recognises(record)).toBe(wanted)
  })
})

describe('effects', () => {
  it.each([
    ['update', 'sys/audit/file', 'audit-tampering'],
    ['read', 'sys/audit', undefined],
    ['delete', 'sys/config/auditing/request-headers/x', 'audit-tampering'],
    ['update', 'sys/policies/acl/x', 'permission-grant'],
    ['update', 'sys/policy/x', 'permission-grant'],
    ['list', 'sys/policies/acl', undefined],
    ['update', 'sys/auth/oidc', 'trust-change'],
    ['update', 'sys/generate-root/attempt', 'credential-minting'],
    ['update', 'sys/rekey/init', 'credential-minting'],
    ['update', 'sys/seal', 'data-destruction'],
    ['delete', 'sys/mounts/kv', 'data-destruction'],
    ['read', 'sys/storage/raft/snapshot', 'secret-read'],
    ['update', 'identity/entity', 'identity-creation'],
    ['update', 'identity/entity/id/e', 'permission-grant'],
    ['update', 'identity/group/name/admins', 'permission-grant'],
    ['update', 'identity/entity-alias', 'trust-change'],
    ['update', 'auth/token/create', 'credential-minting'],
    ['update', 'auth/token/create-orphan', 'credential-minting'],
    ['update', 'auth/token/renew-self', undefined],
    ['update', 'auth/approle/role/r/secret-id', 'credential-minting'],
    ['update', 'auth/approle/role/r/secret-id-accessor/destroy', undefined],
    ['create', 'auth/approle/role/r', 'identity-creation'],
    ['update', 'auth/approle/role/r', 'permission-grant'],
    ['update', 'auth/kubernetes/config', 'trust-change'],
    ['update', 'auth/approle/login', undefined],
    ['read', 'kv/data/a', 'secret-read'],
    ['read', 'secret/a/b', 'secret-read'],
    ['read', 'kv/metadata/a', undefined],
    ['update', 'kv/data/a', undefined],
    ['delete', 'kv/metadata/a', 'data-destruction'],
    ['update', 'kv/destroy/a', 'data-destruction'],
    ['update', 'transit/decrypt/k', 'secret-read'],
    ['update', 'transit/encrypt/k', undefined],
    ['update', 'pki/issue/svc', 'credential-minting'],
    ['update', 'pki/revoke', undefined],
    ['read', 'database/creds/app', 'credential-minting'],
    ['read', 'aws/creds/app', 'credential-minting'],
    ['update', 'ssh/sign/ops', 'credential-minting'],
  ])('%s %s: %s', (operation, path, effect) => {
    expect(draft(operation, path).effect).toBe(effect)
  })

  it.each([
    ['update', 'auth/token/create', 'auth/token/', 'ns_token', 'auth/token/', 'credential-minting'],
    ['update', 'auth/token/create', 'team-a/auth/token/', 'ns_token', 'auth/token/', 'credential-minting'],
    ['delete', 'sys/audit/file', 'team-a/sys/', 'ns_system', 'sys/', 'audit-tampering'],
    ['read', 'cubbyhole/creds', 'team-a/cubbyhole/', 'ns_cubbyhole', 'cubbyhole/', undefined],
    ['read', 'apps/kv/data/a', 'team-a/apps/kv/', 'kv', 'apps/kv/', 'secret-read'],
  ])(
    '%s %s in a namespace, mount %s of type %s',
    (operation, path, mount_point, mount_type, service, effect) => {
      const found = draft(operation, path, {}, { mount_point, mount_type })
      expect([found.service, found.effect]).toEqual([service, effect])
    },
  )

  it('sees an entity that writes a policy which it holds', () => {
    expect(draft('update', 'sys/policies/acl/p').details).toMatchObject({
      grant: 'p',
      targetIdentity: 'vault:root:entity:e',
    })
    expect(draft('update', 'sys/policies/acl/q').details?.targetIdentity).toBeUndefined()
  })

  it('takes a switch of an entity for no grant', () => {
    const path = 'identity/entity/id/e'
    expect(draft('update', path, {}, { data: { disabled: true } }).effect).toBeUndefined()
    expect(draft('update', path, {}, { data: { disabled: true, policies: ['h'] } }).effect).toBe(
      'permission-grant',
    )
  })

  it('takes short-lived credentials of an engine for the caller’s own', () => {
    const lease = { response: { secret: { lease_id: 'database/creds/app/1' } } }
    expect(draft('read', 'database/creds/app', lease).details).toMatchObject({
      issuedTo: 'vault:root:entity:e',
      issuedCredential: 'database/creds/app/1',
    })
  })
})

describe('routes', () => {
  it.each([
    ['read', 'kv/data/a/b/c', 'read kv/data/{path}', 'kv/a'],
    ['list', 'kv/metadata/', 'list kv/metadata/', 'kv/'],
    ['read', 'secret/a/b', 'read secret/{path}', 'secret/a'],
    ['update', 'auth/ldap/login/ann', 'update auth/ldap/login/{name}', 'auth/ldap/login'],
    ['read', 'pki/cert/34:5d:76:e5:5f:9e:5e:ac:ab:d4', 'read pki/cert/{id}', 'pki/cert'],
    [
      'read',
      'identity/entity/id/1131a341-2d26-9ef9-c2ce-4c07a3b72b5c',
      'read identity/entity/id/{id}',
      'identity/entity',
    ],
    ['read', 'sys/health', 'read sys/health', 'sys/health'],
  ])('%s %s: %s', (operation, path, action, resourceClass) => {
    expect(draft(operation, path)).toMatchObject({ action, resourceClass, resources: [path] })
  })
})

describe('callers and outcomes', () => {
  it.each<[string, JsonObject, string, string]>([
    ['kubernetes', { display_name: 'kubernetes-shop-cart' }, 'service-account', 'no'],
    ['ldap', { display_name: 'ldap-ann' }, 'user', 'yes'],
    ['a child token of either', { display_name: 'token', metadata: null }, 'service-account', 'unknown'],
  ])('%s', (_name, rest, kind, human) => {
    expect(draft('read', 'kv/a', { auth: { ...who, ...rest } }).identity).toMatchObject({ kind, human })
  })

  it.each<[string, JsonObject]>([
    ['an entity', {}],
    ['the root token', { auth: { ...who, entity_id: '', display_name: 'root', policies: ['root'] } }],
    ['a token without entity', { auth: { ...who, entity_id: '', display_name: 'token-x', metadata: null } }],
  ])('%s is no person for sending the agent of a browser', (_name, rest) => {
    const browser = draft('read', 'kv/a', rest, { headers: { 'user-agent': ['Mozilla/5.0'] } })
    expect(browser.userAgent).toBe('Mozilla/5.0')
    expect(browser.identity).toEqual(draft('read', 'kv/a', rest).identity)
    expect(browser.identity.human).not.toBe('yes')
  })

  it.each([
    ['permission denied', 'denied'],
    ['1 error occurred:\n\t* permission denied\n\n', 'denied'],
    ['missing client token', 'denied'],
    ['unsupported path', 'failure'],
  ])('%j is %s', (error, outcome) => {
    expect(draft('read', 'kv/a', { error }).outcome).toBe(outcome)
  })

  it('has an opinion on a login only when the line has one', () => {
    const login = { auth: { token_type: 'default' } }
    expect(draft('update', 'auth/jwt/login', login, { client_token: null }).outcome).toBe('unknown')
    expect(
      draft('update', 'auth/jwt/login', { ...login, response: { wrap_info: { ttl: 60 } } }).outcome,
    ).toBe('success')
  })
})

it('judges any path without throwing, and keeps no more actions than routes', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 600 }),
      fc.constantFrom('read', 'list', 'update'),
      (path, operation) => {
        const verdict = read(source, line(operation, path))
        expect(verdict?.outcome).toBe('accepted')
        expect(draftOf(verdict).action.length).toBeLessThanOrEqual(1400)
      },
    ),
  )
  const secrets = Array.from(
    { length: 500 },
    (_, index) => draft('read', `kv/data/team/secret${index}`).action,
  )
  expect(new Set(secrets).size).toBe(1)
})

describe.skipIf(!hasData('vault-openbao-own'))('a real OpenBao with a stolen token', () => {
  const files = ['events.ndjson.gz', 'events-plain-accessor.ndjson.gz']
  const all = files.map((file) =>
    realRecords(`vault-openbao-own/${file}`).map((record) => read(source, record)),
  )

  it.each(files.map((file, index) => [file, index] as const))(
    '%s: one activity for two lines',
    (_file, index) => {
      const verdicts = all[index] ?? []
      expect(tally(verdicts)).toEqual({ 'filtered:request-stage': 232, accepted: 231 })
      const drafts = draftsOf(verdicts)
      expect(new Set(drafts.map((each) => each.eventId)).size).toBe(231)
      expect(countBy(drafts, (each) => each.outcome)).toEqual({ success: 201, denied: 29, failure: 1 })
      expect(countBy(drafts, (each) => each.identity.kind)).toEqual({
        root: 33,
        'service-account': 167,
        user: 12,
        anonymous: 9,
        unknown: 10,
      })
    },
  )

  const drafts = draftsOf(all[0] ?? [])
  const payments = drafts.filter((each) => each.details?.role === 'payments')
  const thief = drafts.filter((each) => each.origin === '203.0.113.77')

  it('shows the thief as the entity and with the token of payments', () => {
    expect(new Set(payments.map((each) => each.identity.id)).size).toBe(1)
    const named = thief.filter((each) => each.identity.kind !== 'unknown')
    expect(named).toHaveLength(12)
    const home = payments.filter((each) => each.origin === '10.20.3.11')
    for (const each of named) {
      expect(each.identity).toEqual(home[0]?.identity)
      expect(home.map((one) => one.credential)).toContain(each.credential)
    }
  })

  it('keeps the key by which a dead token is given back to its owner', () => {
    const used = new Set(payments.map((each) => each.details?.tokenHash))
    // One of the thief's tokens is a child that was revoked before its first use: known from its issue only.
    const issued = thief.flatMap((each) => each.details?.issuedTokenHash ?? [])
    expect(issued).toHaveLength(1)
    expect(issued.some((hash) => used.has(hash))).toBe(false)
    const owned = new Set([...used, ...issued])
    const lost = drafts.filter((each) => each.identity.kind === 'unknown')
    expect(lost).toHaveLength(10)
    for (const each of lost) {
      expect(owned).toContain(each.details?.tokenHash)
      expect(each.outcome).toBe('denied')
    }
  })

  it('names what the thief did', () => {
    const did = (effect: string) =>
      thief.filter((each) => each.effect === effect && each.identity.kind !== 'unknown')
    expect(did('credential-minting').map((each) => [each.action, each.outcome])).toEqual([
      ['update auth/token/create', 'success'],
      ['update pki/issue/svc', 'success'],
    ])
    expect(did('permission-grant').map((each) => [each.outcome, each.details?.targetIdentity])).toEqual([
      ['denied', payments[0]?.identity.id],
    ])
  })

  it('makes nobody of guesses and a person of alice', () => {
    const guesses = drafts.filter((each) => each.origin === '198.51.100.23')
    expect(guesses.map((each) => [each.identity.kind, each.outcome])).toEqual([
      ['anonymous', 'denied'],
      ['anonymous', 'denied'],
      ['anonymous', 'denied'],
    ])
    const alice = drafts.filter((each) => each.origin === '10.20.7.31')
    expect(countBy(alice, (each) => each.identity.human)).toEqual({ yes: 12 })
  })
})

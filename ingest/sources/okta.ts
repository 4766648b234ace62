import { z } from 'zod'
import type { ActivityOutcome, Draft, Identity } from '../activity.ts'
import { asText, isJsonObject } from '../json-values.ts'
import { oktaMeaning } from '../okta-meaning.ts'
import { accepted, dead } from '../outcome.ts'
import { defineSource, type JsonObject, type Sample } from '../source.ts'
import { parseTime } from '../time.ts'

const text = z.string().nullish()
const moment = z.union([z.string(), z.number()]).nullish()
const debugContext = z.object({ debugData: z.record(z.string(), z.unknown()).nullish() }).nullish()
const authenticationContext = z.object({ externalSessionId: text, credentialType: text }).nullish()

/** Some collectors write the names of the first level in lower case: both spellings are read. */
const schema = z.object({
  uuid: text,
  published: moment,
  eventType: text,
  eventtype: text,
  actor: z.object({ id: text, type: text, alternateId: text }).nullish(),
  client: z
    .object({ id: text, ipAddress: text, userAgent: z.object({ rawUserAgent: text }).nullish() })
    .nullish(),
  outcome: z.object({ result: text, reason: text }).nullish(),
  target: z.array(z.object({ id: text, type: text, alternateId: text }).nullish()).nullish(),
  transaction: z.object({ id: text, detail: z.record(z.string(), z.unknown()).nullish() }).nullish(),
  debugContext,
  debugcontext: debugContext,
  authenticationContext,
  authenticationcontext: authenticationContext,
})

type OktaRecord = z.infer<typeof schema>

const CLIENT = { id: '0oaBilling', type: 'PublicClientApp', alternateId: 'unknown', displayName: 'billing' }
const PERSON = { id: '00uAnn', type: 'User', alternateId: 'ann@example.test', displayName: 'Ann' }

const event = (eventType: string, actor: JsonObject, rest: JsonObject = {}): JsonObject => ({
  uuid: 'e-1',
  published: '2026-03-02T08:15:30.123Z',
  eventType,
  version: '0',
  severity: 'INFO',
  actor,
  client: { ipAddress: '192.0.2.10', userAgent: { rawUserAgent: 'billing/1.4' } },
  outcome: { result: 'SUCCESS', reason: null },
  target: [],
  transaction: { type: 'WEB', id: 't-1', detail: {} },
  debugContext: { debugData: {} },
  authenticationContext: { externalSessionId: 'unknown' },
  ...rest,
})

const samples: readonly Sample[] = [
  {
    name: 'service app takes a token with its private key',
    record: event('app.oauth2.token.grant.access_token', CLIENT, {
      target: [{ id: 'AT.1', type: 'access_token', detailEntry: { hash: 'h1' } }],
      debugContext: {
        debugData: {
          clientAuthType: 'private_key_jwt',
          grantType: 'client_credentials',
          grantedScopes: 'okta.users.read',
          requestedScopes: 'okta.users.read, okta.apps.manage',
        },
      },
    }),
    expect: {
      outcome: 'accepted',
      draft: {
        eventId: 'e-1',
        'identity.id': 'okta::client:0oaBilling',
        'identity.kind': 'client',
        'identity.human': 'no',
        class: 'authentication',
        accessLevel: 'auth',
        outcome: 'success',
        origin: '192.0.2.10',
        authMethod: 'private-key',
        userAgent: 'billing/1.4',
        'details.grantedScopes': 'okta.users.read',
        'details.requestedScopes': 'okta.users.read, okta.apps.manage',
        session: undefined,
        time: 1_772_439_330_123,
      },
    },
  },
  {
    name: 'client refused',
    record: event('app.oauth2.token.grant', CLIENT, {
      outcome: { result: 'FAILURE', reason: 'invalid_client_credentials' },
    }),
    expect: {
      outcome: 'accepted',
      draft: {
        'identity.id': 'okta::client:0oaBilling',
        outcome: 'denied',
        errorCode: 'invalid_client_credentials',
      },
    },
  },
  {
    name: 'person creates an API token; the token belongs to the person',
    record: event('system.api_token.create', PERSON, { target: [{ id: '00Tkey', type: 'Token' }] }),
    expect: {
      outcome: 'accepted',
      draft: {
        'identity.id': 'okta::user:00uAnn',
        'identity.human': 'yes',
        class: 'api_activity',
        effect: 'credential-minting',
        'details.issuedCredential': '00Tkey',
        'details.issuedTo': 'okta::user:00uAnn',
      },
    },
  },
  {
    name: 'a call with an API token acts for a person, but no person made it',
    record: event('user.lifecycle.create', PERSON, {
      transaction: { type: 'WEB', id: 't-1', detail: { requestApiTokenId: '00Tkey' } },
      target: [{ id: '00uNew', type: 'User' }],
    }),
    expect: {
      outcome: 'accepted',
      draft: {
        'identity.human': 'unknown',
        credential: '00Tkey',
        authMethod: 'api-key',
        effect: 'identity-creation',
        'details.targetIdentity': 'okta::user:00uNew',
      },
    },
  },
  {
    name: 'administrator role granted',
    record: event('user.account.privilege.grant', PERSON, {
      target: [{ id: '00uBob', type: 'User' }],
      debugContext: { debugData: { privilegeGranted: 'Super administrator' } },
    }),
    expect: {
      outcome: 'accepted',
      draft: {
        accessLevel: 'permissions',
        effect: 'permission-grant',
        'details.grantee': 'okta::user:00uBob',
        'details.grant': 'Super administrator',
        'resources.0': 'User:00uBob',
      },
    },
  },
  {
    name: 'log stream deleted by the system',
    record: event('system.log_stream.lifecycle.delete', { id: 'sys', type: 'SystemPrincipal' }),
    expect: {
      outcome: 'accepted',
      draft: {
        'identity.id': 'okta::system',
        'identity.kind': 'cloud-service',
        'identity.human': 'no',
        effect: 'audit-tampering',
      },
    },
  },
  {
    name: 'threat from an address: nobody',
    record: event(
      'security.threat.detected',
      { id: '198.51.100.9', type: 'IP address' },
      {
        outcome: { result: 'DENY', reason: 'Password Spray' },
      },
    ),
    expect: {
      outcome: 'accepted',
      draft: { 'identity.id': 'okta::anonymous', 'identity.kind': 'anonymous', outcome: 'denied' },
    },
  },
  {
    name: 'login with an invented name: nobody',
    record: event(
      'user.session.start',
      { id: 'unknown', type: 'User', alternateId: 'root' },
      {
        outcome: { result: 'FAILURE', reason: 'VERIFICATION_ERROR' },
      },
    ),
    expect: { outcome: 'accepted', draft: { 'identity.id': 'okta::anonymous', outcome: 'denied' } },
  },
  {
    name: 'first level in lower case',
    record: {
      uuid: 'e-2',
      published: '2026-03-02 08:15:30.123',
      eventtype: 'app.oauth2.token.detect_reuse',
      actor: CLIENT,
      outcome: { result: 'SUCCESS' },
      debugcontext: { debugData: { grantedScopes: 'openid' } },
      authenticationcontext: { externalSessionId: 's-1' },
    },
    expect: {
      outcome: 'accepted',
      draft: { action: 'app.oauth2.token.detect_reuse', session: 's-1', 'details.grantedScopes': 'openid' },
    },
  },
  {
    name: 'time that is none',
    record: event('user.session.start', PERSON, { published: 'redacted' }),
    expect: { outcome: 'dead', reason: 'bad-time' },
  },
  {
    name: 'actor of a wrong type',
    record: event('user.session.start', PERSON, { actor: { id: 7, type: 'User' } }),
    expect: { outcome: 'dead', reason: 'wrong-type' },
  },
]

/** Okta's System Log. Blind to what a token does at services that do not ask Okta. */
export const source = defineSource<OktaRecord>({
  id: 'okta',
  title: 'Okta System Log',
  kind: 'auth',
  sees: 'Token grants to apps, API token use, sign-ins, and administration: tokens, keys, roles, policies, log streams.',
  misses:
    'Use of tokens at services that validate them offline; the id of the secret or key that a client showed.',
  needs: 'System Log API, log streaming or an export; the organisation is taken from the stream name.',
  documentation: 'https://developer.okta.com/docs/reference/api/system-log/',
  format: 'json',
  recognises: (record) =>
    (typeof record.eventType === 'string' || typeof record.eventtype === 'string') &&
    record.published !== undefined &&
    isJsonObject(record.actor) &&
    record.outcome !== undefined,
  schema,
  samples,
  normalise(record, context) {
    const time = record.published == null ? undefined : parseTime(record.published)
    if (time === undefined) return dead('normalise', 'bad-time', 'okta: published: not a time')
    const org = context.tenant
    const action = record.eventType ?? record.eventtype ?? ''
    const meaning = oktaMeaning(action.slice(0, 256))
    const debug = (record.debugContext ?? record.debugcontext)?.debugData ?? {}
    const data = (name: string): string => (Object.hasOwn(debug, name) ? asText(debug[name]) : '')
    const detail = record.transaction?.detail ?? {}
    const apiToken = Object.hasOwn(detail, 'requestApiTokenId') ? asText(detail.requestApiTokenId) : ''
    const session = (record.authenticationContext ?? record.authenticationcontext)?.externalSessionId
    const identity = identityOf(record, org, apiToken)
    const outcome = outcomeOf(record.outcome?.result ?? '', meaning.class === 'authentication')
    return accepted({
      eventId: record.uuid || context.recordHash(),
      time,
      class: meaning.class,
      identity,
      action,
      service: meaning.service,
      accessLevel: meaning.accessLevel,
      effect: meaning.effect,
      outcome,
      errorCode:
        outcome === 'success' ? '' : (record.outcome?.reason ?? record.outcome?.result ?? '').slice(0, 128),
      origin: record.client?.ipAddress ?? undefined,
      resourceClass: record.target?.[0]?.type ?? undefined,
      resources: resourcesOf(record),
      credential: apiToken || data('clientSecretId') || data('keyId') || undefined,
      authMethod: apiToken === '' ? methodOf(data('clientAuthType')) : 'api-key',
      session: session === 'unknown' ? undefined : (session ?? undefined),
      userAgent: record.client?.userAgent?.rawUserAgent ?? undefined,
      requestId: data('requestId') || (record.transaction?.id ?? undefined),
      details: detailsOf(record, org, identity, meaning.effect, data),
    })
  },
})

function outcomeOf(result: string, isLogin: boolean): ActivityOutcome {
  switch (result) {
    case 'SUCCESS':
    case 'ALLOW':
      return 'success'
    case 'DENY':
    case 'RATE_LIMIT':
      return 'denied'
    case 'FAILURE':
      return isLogin ? 'denied' : 'failure'
    case 'ABANDONED':
      return 'failure'
    default:
      // CHALLENGE, SKIPPED, DEFERRED, SCHEDULED: neither done nor refused.
      return 'unknown'
  }
}

const METHODS: ReadonlyMap<string, string> = new Map([
  ['client_secret_basic', 'client-secret'],
  ['client_secret_post', 'client-secret'],
  ['client_secret_jwt', 'client-secret'],
  ['private_key_jwt', 'private-key'],
])

function methodOf(clientAuthType: string): string | undefined {
  return METHODS.get(clientAuthType.toLowerCase()) ?? (clientAuthType || undefined)
}

function identityOf(record: OktaRecord, org: string, apiToken: string): Identity {
  const id = record.actor?.id ?? ''
  const type = record.actor?.type ?? ''
  const unknown = id === '' || id === 'unknown'
  const named = (name: string, rest: Pick<Identity, 'kind' | 'human' | 'humanReason'>): Identity => ({
    id: `okta:${org}:${name}`,
    provider: 'okta',
    tenant: org,
    ...rest,
  })
  if (type === 'SystemPrincipal')
    return named('system', { kind: 'cloud-service', human: 'no', humanReason: 'Okta itself' })
  if (unknown || type === 'IP address')
    return named('anonymous', { kind: 'anonymous', human: 'unknown', humanReason: 'no known actor' })
  switch (type) {
    case 'User':
    case 'AppUser':
      return apiToken === ''
        ? named(`user:${id}`, { kind: 'user', human: 'yes', humanReason: `actor type ${type}` })
        : named(`user:${id}`, {
            kind: 'user',
            human: 'unknown',
            humanReason: 'API token that acts for a user',
          })
    case 'PublicClientApp':
    case 'ClientApp':
    case 'OAuth2Client':
    case 'AppInstance':
      return named(`client:${id}`, { kind: 'client', human: 'no', humanReason: `actor type ${type}` })
    default:
      return named(`${kebab(type)}:${id}`, {
        kind: 'workload',
        human: 'unknown',
        humanReason: 'actor type tells neither person nor machine',
      })
  }
}

/** `Directory Agent` as a part of an id: `directory-agent`. */
function kebab(type: string): string {
  return (
    type
      .slice(0, 64)
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-') || 'actor'
  )
}

function resourcesOf(record: OktaRecord): readonly string[] {
  const resources: string[] = []
  for (const target of record.target ?? []) {
    if (target == null || resources.length === 8) continue
    const id = target.id || target.alternateId
    if (id) resources.push(`${target.type ?? 'target'}:${id}`)
  }
  return resources
}

const KEPT = ['grantType', 'grantedScopes', 'requestedScopes', 'threatSuspected'] as const

function detailsOf(
  record: OktaRecord,
  org: string,
  identity: Identity,
  effect: Draft['effect'],
  data: (name: string) => string,
): Record<string, string> {
  const details: Record<string, string> = {}
  for (const name of KEPT) {
    const value = data(name)
    if (value !== '') details[name] = value.slice(0, 512)
  }
  const target = targetIdentity(record, org)
  if (target !== '') details.targetIdentity = target
  if (effect === 'audit-tampering' && isThreatSetting(record)) details.guard = 'threat-detection'
  if (effect === 'credential-minting') {
    const issued = record.target?.find((each) => each?.type === 'Token' || each?.type === 'Credential')
    if (issued?.id) details.issuedCredential = issued.id
    details.issuedTo = target || identity.id
  }
  if (effect === 'permission-grant') {
    if (target !== '') details.grantee = target
    const grant = data('privilegeGranted') || groupOf(record)
    if (grant !== '') details.grant = grant.slice(0, 256)
  }
  return details
}

const isThreatSetting = (record: OktaRecord): boolean =>
  (record.eventType ?? record.eventtype ?? '').startsWith('security.threat.')

/** The first target that is a user or a client, by its canonical id. */
function targetIdentity(record: OktaRecord, org: string): string {
  for (const target of record.target ?? []) {
    if (!target?.id) continue
    if (target.type === 'User' || target.type === 'AppUser') return `okta:${org}:user:${target.id}`
    if (target.type === 'PublicClientApp' || target.type === 'AppInstance')
      return `okta:${org}:client:${target.id}`
  }
  return ''
}

function groupOf(record: OktaRecord): string {
  const group = record.target?.find((each) => each?.type === 'UserGroup' || each?.type === 'ROLE')
  return group?.alternateId && group.alternateId !== 'unknown' ? group.alternateId : (group?.id ?? '')
}

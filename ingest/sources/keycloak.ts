import type { ActivityOutcome, Draft, Effect, Identity } from '../activity.ts'
import { isJsonObject } from '../json-values.ts'
import { adminMeaning } from '../keycloak-admin.ts'
import { eventOf, type KeycloakEvent, type KeycloakRecord, keycloakRecord } from '../keycloak-event.ts'
import { accepted, dead, filtered } from '../outcome.ts'
import { defineSource, type JsonObject, type Sample } from '../source.ts'
import { parseTime } from '../time.ts'

const LOGGER = 'org.keycloak.events'
const CONSOLE = `[${LOGGER}]`

const logged = (message: string): JsonObject => ({
  timestamp: '2026-03-02T08:15:30.123456Z',
  loggerName: LOGGER,
  level: 'INFO',
  message,
})
const shop = (type: string, rest: string): JsonObject =>
  logged(`type="${type}", realmId="6d1f", realmName="shop", ${rest}`)

const samples: readonly Sample[] = [
  {
    name: 'client takes a token',
    record: shop(
      'CLIENT_LOGIN',
      'clientId="billing", userId="u-1", ipAddress="192.0.2.10", token_id="trrtcc:1", grant_type="client_credentials", scope="orders", client_auth_method="client-secret", username="service-account-billing"',
    ),
    expect: {
      outcome: 'accepted',
      draft: {
        'identity.id': 'keycloak:shop:client:billing',
        'identity.kind': 'client',
        'identity.human': 'no',
        'identity.tenant': 'shop',
        class: 'authentication',
        action: 'CLIENT_LOGIN',
        outcome: 'success',
        origin: '192.0.2.10',
        credential: 'client-secret:billing',
        authMethod: 'client-secret',
        'details.tokenId': 'trrtcc:1',
        'details.scope': 'orders',
        time: 1_772_439_330_123,
      },
    },
  },
  {
    name: 'wrong secret of a known client; the word null is no user',
    record: shop(
      'CLIENT_LOGIN_ERROR',
      'clientId="billing", userId="null", ipAddress="198.51.100.9", error="invalid_client_credentials", grant_type="client_credentials"',
    ),
    expect: {
      outcome: 'accepted',
      draft: {
        'identity.id': 'keycloak:shop:client:billing',
        outcome: 'denied',
        errorCode: 'invalid_client_credentials',
        credential: undefined,
        'details.userId': undefined,
      },
    },
  },
  {
    name: 'unknown client: an invented name does not become an identity',
    record: shop(
      'CLIENT_LOGIN_ERROR',
      'clientId="ghost", userId="null", ipAddress="198.51.100.9", error="client_not_found"',
    ),
    expect: {
      outcome: 'accepted',
      draft: { 'identity.id': 'keycloak:shop:anonymous', 'identity.kind': 'anonymous', outcome: 'denied' },
    },
  },
  {
    name: 'person logs in; body of an HTTP listener',
    record: {
      id: 'e-1',
      time: 1_772_439_330_123,
      type: 'LOGIN',
      realmId: '6d1f',
      realmName: 'shop',
      clientId: 'web',
      userId: 'u-2',
      sessionId: 's-1',
      ipAddress: '192.0.2.20',
      details: { auth_method: 'openid-connect', username: 'ann' },
    },
    expect: {
      outcome: 'accepted',
      draft: {
        eventId: 'e-1',
        'identity.id': 'keycloak:shop:user:u-2',
        'identity.human': 'yes',
        session: 's-1',
        service: 'web',
      },
    },
  },
  {
    name: 'login as a service account is the client',
    record: shop(
      'LOGIN',
      'clientId="web", userId="u-1", ipAddress="192.0.2.10", username="service-account-billing"',
    ),
    expect: {
      outcome: 'accepted',
      draft: { 'identity.id': 'keycloak:shop:client:billing', 'identity.human': 'no' },
    },
  },
  {
    name: 'password guess at a name that nobody has',
    record: shop(
      'LOGIN_ERROR',
      'clientId="web", userId="null", ipAddress="198.51.100.9", error="user_not_found", username="root"',
    ),
    expect: { outcome: 'accepted', draft: { 'identity.kind': 'anonymous', outcome: 'denied' } },
  },
  {
    name: 'administrator in a realm of its own gives a role',
    record: logged(
      'operationType="CREATE", realmId="6d1f", realmName="shop", clientId="c-9", userId="u-9", ipAddress="10.0.0.8", resourceType="REALM_ROLE_MAPPING", resourcePath="users/u-1/role-mappings/realm", representation="[{\\"id\\":\\"r\\",\\"name\\":\\"orders-admin\\"}]"',
    ),
    expect: {
      outcome: 'accepted',
      draft: {
        'identity.id': 'keycloak:shop:user:u-9',
        'identity.human': 'unknown',
        class: 'api_activity',
        action: 'CREATE REALM_ROLE_MAPPING',
        accessLevel: 'permissions',
        effect: 'permission-grant',
        'details.grant': 'orders-admin',
        'details.targetIdentity': 'keycloak:shop:user:u-1',
      },
    },
  },
  {
    name: 'new secret for a client; admin event of the HTTP listener names both realms',
    record: {
      id: 'a-1',
      time: 1_772_439_330_123,
      realmId: 'shop',
      authDetails: { realmId: 'master', clientId: 'c-1', userId: 'u-9', ipAddress: '10.0.0.8' },
      operationType: 'ACTION',
      resourceType: 'CLIENT',
      resourcePath: 'clients/c-7/client-secret',
      representation: '{"type":"secret","value":"**********"}',
    },
    expect: {
      outcome: 'accepted',
      draft: {
        'identity.id': 'keycloak:master:user:u-9',
        action: 'ACTION CLIENT client-secret',
        effect: 'credential-minting',
        'details.issuedTo': 'keycloak:shop:client-uuid:c-7',
        'resources.0': 'clients/c-7/client-secret',
      },
    },
  },
  {
    name: 'event log switched off',
    record: logged(
      'operationType="UPDATE", realmId="1", realmName="master", clientId="c-1", userId="u-9", ipAddress="10.0.0.8", resourceType="REALM", resourcePath="events/config"',
    ),
    expect: { outcome: 'accepted', draft: { effect: 'audit-tampering' } },
  },
  {
    name: 'line of the console log',
    record:
      '2026-03-02 08:15:30,123 INFO  [org.keycloak.events] (executor-thread-1) type="CLIENT_LOGIN", realmId="6d1f", realmName="shop", clientId="billing", userId="u-1", ipAddress="192.0.2.10"',
    expect: {
      outcome: 'accepted',
      draft: { 'identity.id': 'keycloak:shop:client:billing', time: 1_772_439_330_123 },
    },
  },
  {
    name: 'line of the event logger that is no event',
    record: logged('listener started'),
    expect: { outcome: 'filtered', reason: 'not-an-event' },
  },
  {
    name: 'message of a wrong type',
    record: { ...logged(''), message: 7 },
    expect: { outcome: 'dead', reason: 'wrong-type' },
  },
]

/** Login and admin events of Keycloak. Blind to what a token does once it was issued. */
export const source = defineSource<KeycloakRecord>({
  id: 'keycloak',
  title: 'Keycloak events',
  kind: 'auth',
  sees: 'Logins of clients and people, token introspection, refresh and exchange, and changes by administrators.',
  misses:
    'Use of tokens at the services, token requests when success events are below the log level, and which secret a client showed.',
  needs: 'Events and admin events on, success events at level info; representations make grants readable.',
  documentation: 'https://www.keycloak.org/docs/latest/server_admin/#configuring-auditing-to-track-events',
  format: 'json',
  recognises,
  parseLine,
  schema: keycloakRecord,
  samples,
  normalise(record, context) {
    const event = eventOf(record)
    if (event === null) return filtered('not-an-event')
    const when = record.time ?? record.timestamp
    const time = when == null ? undefined : parseTime(when)
    if (time === undefined) return dead('normalise', 'bad-time', 'keycloak: time or timestamp: not a time')
    const eventId = record.id || context.recordHash()
    const draft = event.operation === '' ? loginDraft(event, eventId, time) : adminDraft(event, eventId, time)
    return accepted(draft)
  },
})

function recognises(record: JsonObject): boolean {
  if (record.loggerName !== undefined) return record.loggerName === LOGGER
  if (typeof record.realmId !== 'string') return false
  if (isJsonObject(record.authDetails))
    return typeof record.operationType === 'string' && 'resourcePath' in record
  return (
    typeof record.type === 'string' &&
    /^[A-Z0-9_]+$/.test(record.type) &&
    ('clientId' in record || 'ipAddress' in record)
  )
}

/** A line of the console log, whose time has no zone and is read as UTC. */
function parseLine(line: string): JsonObject | null {
  const at = line.indexOf(CONSOLE)
  if (at < 0 || at > 64) return null
  return { loggerName: LOGGER, timestamp: line.slice(0, 23), message: line.slice(at + CONSOLE.length) }
}

/** Events of a client itself; in all others the client is only the application through which a person comes. */
const BY_CLIENT =
  /^(CLIENT_|INTROSPECT_TOKEN|VALIDATE_ACCESS_TOKEN|REFRESH_TOKEN|REVOKE_GRANT|TOKEN_EXCHANGE|PERMISSION_TOKEN|PUSHED_AUTHORIZATION)/
const SERVICE_ACCOUNT = 'service-account-'

function loginDraft(event: KeycloakEvent, eventId: string, time: number): Draft {
  const identity = callerOf(event)
  const failed = hasFailed(event)
  const method = event.detail('client_auth_method')
  const byClient = identity.kind === 'client'
  return {
    eventId,
    time,
    class: 'authentication',
    identity,
    action: event.type,
    service: byClient || event.clientId === '' || identity.kind === 'anonymous' ? 'keycloak' : event.clientId,
    accessLevel: 'auth',
    outcome: failed ? loginFailure(event) : 'success',
    errorCode: failed ? event.error || 'error' : '',
    effect: effectOf(event.type),
    origin: event.address || undefined,
    // A secret has no id in the log, so it is named after its client: what a responder replaces. Only when it was right.
    credential: byClient && method !== '' ? `${method}:${event.clientId}` : undefined,
    authMethod: byClient ? (METHODS.get(method) ?? method) : userMethod(event),
    session: event.sessionId || undefined,
    actingAs:
      byClient && event.userId !== '' && event.type.startsWith('TOKEN_EXCHANGE')
        ? `keycloak:${event.realm}:user:${event.userId}`
        : undefined,
    details: detailsOf(event),
  }
}

const METHODS: ReadonlyMap<string, string> = new Map([
  ['client-secret-jwt', 'client-secret'],
  ['client-jwt', 'private-key'],
  ['client-x509', 'certificate'],
])

function userMethod(event: KeycloakEvent): string | undefined {
  return event.detail('grant_type') === 'password' ? 'password' : event.detail('auth_method') || undefined
}

function effectOf(type: string): Effect | undefined {
  if (type.startsWith('TOKEN_EXCHANGE') || type.startsWith('IMPERSONATE')) return 'impersonation'
  if (type.startsWith('CLIENT_REGISTER')) return 'identity-creation'
  return undefined
}

/** Errors that say that a request was wrong, and not that its sender was refused. */
const MALFORMED = new Set([
  'invalid_request',
  'invalid_redirect_uri',
  'invalid_registration',
  'identity_provider_error',
  'cookie_not_found',
  'temporarily_unavailable',
  'ssl_required',
  'slow_down',
  'unknown_error',
  'email_send_failed',
])

/** A gateway that asks about a dead token is not refused: its question was answered. */
function loginFailure(event: KeycloakEvent): ActivityOutcome {
  const aboutToken = event.type === 'INTROSPECT_TOKEN_ERROR' && event.detail('token_id') !== ''
  return aboutToken ? 'failure' : failureOf(event.error)
}

function failureOf(error: string): ActivityOutcome {
  return error === '' || MALFORMED.has(error) ? 'failure' : 'denied'
}

const KEPT: readonly (readonly [string, string])[] = [
  ['token_id', 'tokenId'],
  ['scope', 'scope'],
  ['grant_type', 'grantType'],
  ['token_issued_for', 'tokenIssuedFor'],
  ['reason', 'reason'],
  ['revoked_client', 'revokedClient'],
  ['audience', 'audience'],
]

/** Chosen by name: an event's other details may hold codes, secrets and addresses of people. */
function detailsOf(event: KeycloakEvent): Record<string, string> {
  const details: Record<string, string> = {}
  for (const [name, as] of KEPT) {
    const value = event.detail(name)
    if (value !== '') details[as] = value.slice(0, 256)
  }
  // Ties a client to its service account: admin events name that account only.
  if (event.userId !== '') details.userId = event.userId.slice(0, 256)
  return details
}

const hasFailed = (event: KeycloakEvent): boolean => event.error !== '' || event.type.endsWith('_ERROR')

function callerOf(event: KeycloakEvent): Identity {
  const username = event.detail('username')
  if (event.error === 'client_not_found') return nobody(event.realm)
  if (BY_CLIENT.test(event.type)) return clientIdentity(event.realm, event.clientId)
  // A name without an id was typed by somebody, and may be nobody's.
  if (event.userId === '' && (hasFailed(event) || username === '')) return nobody(event.realm)
  if (username.startsWith(SERVICE_ACCOUNT))
    return clientIdentity(event.realm, username.slice(SERVICE_ACCOUNT.length))
  return userIdentity(event.realm, event.userId || username)
}

const identity = (
  realm: string,
  name: string,
  rest: Pick<Identity, 'kind' | 'human' | 'humanReason'>,
): Identity => ({ id: `keycloak:${realm}:${name}`, provider: 'keycloak', tenant: realm, ...rest })

const clientIdentity = (realm: string, clientId: string): Identity =>
  clientId === ''
    ? nobody(realm)
    : identity(realm, `client:${clientId}`, { kind: 'client', human: 'no', humanReason: 'client' })
const userIdentity = (realm: string, user: string): Identity =>
  identity(realm, `user:${user}`, { kind: 'user', human: 'yes', humanReason: 'login of a user' })
const nobody = (realm: string): Identity =>
  identity(realm, 'anonymous', {
    kind: 'anonymous',
    human: 'unknown',
    humanReason: 'no known client or user',
  })

function adminDraft(event: KeycloakEvent, eventId: string, time: number): Draft {
  const meaning = adminMeaning({
    operation: event.operation,
    resourceType: event.resourceType,
    path: event.resourcePath.slice(0, 512),
    representation: event.representation,
    realm: event.changedRealm,
  })
  return {
    eventId,
    time,
    class: 'api_activity',
    identity: administrator(event),
    action: meaning.action,
    service: 'admin',
    accessLevel: meaning.accessLevel,
    effect: meaning.effect,
    outcome: event.error === '' ? 'success' : failureOf(event.error),
    errorCode: event.error,
    origin: event.address || undefined,
    resourceClass: event.resourceType,
    resources: event.resourcePath === '' ? undefined : [event.resourcePath],
    details: meaning.details,
  }
}

/** The event names the account by id, and the account may be a person's or a client's: nothing in it tells them apart. */
function administrator(event: KeycloakEvent): Identity {
  const humanReason = 'administrator: the account may be a person’s or a client’s'
  if (event.userId !== '')
    return identity(event.realm, `user:${event.userId}`, { kind: 'user', human: 'unknown', humanReason })
  if (event.clientId === '') return nobody(event.realm)
  return identity(event.realm, `client-uuid:${event.clientId}`, {
    kind: 'client',
    human: 'no',
    humanReason: 'client',
  })
}

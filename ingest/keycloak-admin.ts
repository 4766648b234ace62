/** What an administrator did in Keycloak, from an admin event: the power it uses and whom it concerns. */
import type { AccessLevel, Effect } from './activity.ts'
import { asText, isJsonObject } from './json-values.ts'

export interface AdminCall {
  /** `CREATE`, `UPDATE`, `DELETE`, `ACTION`. */
  readonly operation: string
  /** `CLIENT`, `REALM_ROLE_MAPPING`, … */
  readonly resourceType: string
  /** `clients/<uuid>/client-secret` */
  readonly path: string
  /** JSON text, as logged; '' when representations are not logged. */
  readonly representation: string
  /** Realm that was changed; '' when the event does not say. */
  readonly realm: string
}

export interface AdminMeaning {
  readonly action: string
  readonly accessLevel: AccessLevel
  readonly effect: Effect | undefined
  readonly details: Readonly<Record<string, string>>
}

/** A representation longer than this is not read: the event stands on its operation and path. */
const LONGEST_REPRESENTATION = 65_536
const MOST_GRANTS = 8

export function adminMeaning(call: AdminCall): AdminMeaning {
  const segments = call.path.split('/', 8)
  const tail = segments.at(-1) ?? ''
  const body = bodyOf(call.representation)
  const effect = effectOf(call, tail, body)
  const details: Record<string, string> = {}
  const target = targetOf(call, segments, body)
  // A target without its realm would be the name of another identity: then the bare id is all that is true.
  if (target !== undefined) {
    if (call.realm !== '') details.targetIdentity = `keycloak:${call.realm}:${target}`
    details.target = target
    if (effect === 'credential-minting') details.issuedTo = details.targetIdentity ?? target
    if (effect === 'permission-grant') details.grantee = details.targetIdentity ?? target
  }
  const uuid = segments[0] === 'clients' ? (segments[1] ?? '') : ''
  if (uuid !== '') details.clientUuid = uuid
  const grant = effect === 'permission-grant' ? namesOf(body, tail) : ''
  if (grant !== '') details.grant = grant
  if (isJsonObject(body) && typeof body.enabled === 'boolean') details.enabled = String(body.enabled)
  const detail = call.operation === 'ACTION' && segments.length > 2 ? ` ${tail}` : ''
  return {
    action: `${call.operation} ${call.resourceType}${detail}`,
    accessLevel: effect === 'permission-grant' || effect === 'trust-change' ? 'permissions' : 'write',
    effect,
    details,
  }
}

function effectOf(call: AdminCall, tail: string, body: unknown): Effect | undefined {
  const { operation, resourceType, path } = call
  if (resourceType === 'REALM') {
    if (operation === 'DELETE' && (tail === 'events' || tail === 'admin-events')) return 'audit-tampering'
    if (tail === 'config' && path.endsWith('events/config')) return 'audit-tampering'
    if (operation === 'UPDATE') return changesEvents(body) ? 'audit-tampering' : undefined
    if (operation === 'DELETE') return 'data-destruction'
    return undefined
  }
  if (operation === 'ACTION') {
    if (tail === 'client-secret' || tail === 'rotated' || tail === 'reset-password')
      return 'credential-minting'
    if (tail === 'registration-access-token' || tail.startsWith('generate')) return 'credential-minting'
    if (tail === 'impersonation') return 'impersonation'
  }
  if (path.includes('/certificates/') && operation !== 'DELETE') return 'credential-minting'
  const creates = operation === 'CREATE'
  if (path.endsWith('/composites')) return creates ? 'permission-grant' : undefined
  switch (resourceType) {
    case 'CLIENT':
    case 'USER':
      return creates ? 'identity-creation' : undefined
    case 'CLIENT_INITIAL_ACCESS_MODEL':
      return creates ? 'credential-minting' : undefined
    case 'REALM_ROLE_MAPPING':
    case 'CLIENT_ROLE_MAPPING':
    case 'GROUP_MEMBERSHIP':
    case 'REALM_SCOPE_MAPPING':
    case 'CLIENT_SCOPE_MAPPING':
    case 'CLIENT_SCOPE_CLIENT_MAPPING':
    case 'AUTHORIZATION_POLICY':
    case 'AUTHORIZATION_SCOPE':
      return operation === 'DELETE' ? undefined : 'permission-grant'
    case 'IDENTITY_PROVIDER':
    case 'IDENTITY_PROVIDER_MAPPER':
    case 'USER_FEDERATION_PROVIDER':
    case 'USER_FEDERATION_MAPPER':
    case 'COMPONENT':
    case 'AUTH_FLOW':
    case 'AUTH_EXECUTION':
    case 'AUTH_EXECUTION_FLOW':
    case 'AUTHENTICATOR_CONFIG':
    case 'REQUIRED_ACTION':
      return 'trust-change'
    default:
      return undefined
  }
}

const EVENT_SETTINGS = [
  'eventsEnabled',
  'adminEventsEnabled',
  'adminEventsDetailsEnabled',
  'eventsListeners',
  'enabledEventTypes',
  'eventsExpiration',
]

/** Only a partial representation can tell: a console saves all settings of the realm at once, whatever was changed. */
function changesEvents(body: unknown): boolean {
  return (
    isJsonObject(body) &&
    body.accessTokenLifespan === undefined &&
    EVENT_SETTINGS.some((name) => body[name] !== undefined)
  )
}

/** The identity changed: `client:<clientId>` where the representation names it, else its internal id. */
function targetOf(call: AdminCall, segments: readonly string[], body: unknown): string | undefined {
  const id = segments[1] ?? ''
  if (id === '') return undefined
  if (segments[0] === 'clients') {
    const named = call.resourceType === 'CLIENT' && isJsonObject(body) ? asText(body.clientId) : ''
    return named === '' ? `client-uuid:${id}` : `client:${named.slice(0, 256)}`
  }
  return segments[0] === 'users' ? `user:${id}` : undefined
}

/** Names of the roles given, or the last part of the path when representations are not logged. */
function namesOf(body: unknown, tail: string): string {
  const list: readonly unknown[] = Array.isArray(body) ? body : [body]
  const names: string[] = []
  for (const each of list) {
    const name = isJsonObject(each) ? asText(each.name) : ''
    if (name !== '' && names.length < MOST_GRANTS) names.push(name)
  }
  return (names.length > 0 ? names.join(' ') : tail).slice(0, 256)
}

function bodyOf(representation: string): unknown {
  if (representation === '' || representation.length > LONGEST_REPRESENTATION) return undefined
  try {
    return JSON.parse(representation)
  } catch {
    return undefined
  }
}

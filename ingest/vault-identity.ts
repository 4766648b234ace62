/** Who stands behind a line of Vault's audit log: an entity, the root token, a token without entity, or nobody. */
import type { Human, Identity, IdentityKind } from './activity.ts'

export interface VaultCaller {
  readonly namespace: string
  readonly entityId: string
  readonly displayName: string
  /** Accessor of the token; '' when it is dead. */
  readonly accessor: string
  /** HMAC of the token; '' when the request carried none. */
  readonly tokenHash: string
  readonly root: boolean
  /** Type of the mount when this is a login: `approle`, `userpass`. */
  readonly loginType: string
  readonly role: string
}

export function vaultIdentity(caller: VaultCaller): Identity {
  const { namespace, entityId, displayName } = caller
  const [human, humanReason] = humanOf(caller)
  if (entityId !== '') {
    const kind = human === 'yes' ? 'user' : 'service-account'
    return identity(namespace, `entity:${entityId}`, kind, human, humanReason)
  }
  if (caller.root)
    return identity(namespace, 'root', 'root', human, human === 'yes' ? humanReason : 'root token')
  if (displayName !== '' && caller.accessor !== '') {
    // A token without entity is its own principal. The name given at its creation outlives it; `token` is the default.
    const name = displayName === 'token' ? `accessor:${caller.accessor}` : `token:${displayName}`
    return identity(namespace, name, 'api-key', human, humanReason)
  }
  if (caller.tokenHash === '') {
    return identity(namespace, 'anonymous', 'anonymous', 'unknown', 'no token, or a login that was refused')
  }
  // Dead, revoked, or of a disabled entity: the log no longer says whose it is. Attribution does, by the token's hash.
  return identity(namespace, 'unattributed', 'unknown', 'unknown', 'the log names no entity for this token')
}

const PEOPLE = ['userpass', 'oidc', 'ldap', 'okta', 'github', 'radius', 'saml']
const MACHINES = [
  'approle',
  'kubernetes',
  'aws',
  'jwt',
  'cert',
  'gcp',
  'azure',
  'alicloud',
  'cf',
  'oci',
  'kerberos',
  'spiffe',
]

function humanOf(caller: VaultCaller): readonly [Human, string] {
  // A display name begins with the path of the mount that made the token: `userpass-alice`, `kubernetes-shop-cart`.
  const method = caller.loginType || methodIn(caller.displayName)
  if (PEOPLE.includes(method)) return ['yes', `${method} login`]
  if (MACHINES.includes(method) || caller.role !== '') return ['no', `${method || 'role'} login`]
  return ['unknown', 'token tells neither person nor machine']
}

function methodIn(displayName: string): string {
  const dash = displayName.indexOf('-')
  return dash < 0 ? displayName : displayName.slice(0, dash)
}

const known = new Map<string, Identity>()
const MOST_KNOWN = 10_000

/** Identities come again with every event; the cache is emptied when full. */
function identity(
  namespace: string,
  name: string,
  kind: IdentityKind,
  human: Human,
  humanReason: string,
): Identity {
  const id = `vault:${namespace}:${name}`
  const cached = known.get(id)
  if (
    cached !== undefined &&
    cached.human === human &&
    cached.humanReason === humanReason &&
    cached.kind === kind
  )
    return cached
  const made: Identity = { id, kind, provider: 'vault', tenant: namespace, human, humanReason }
  if (known.size >= MOST_KNOWN) known.clear()
  known.set(id, made)
  return made
}

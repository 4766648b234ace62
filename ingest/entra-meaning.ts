/** What operations of Microsoft Entra's audit log and calls to Microsoft Graph do to security. */
import type { AccessLevel, Effect } from './activity.ts'

/**
 * Start of the operation's name in lower case, and its effect; '' for exceptions of a longer rule. The first that fits
 * counts. Names are those of the producer's audit activity reference.
 */
const OPERATIONS: readonly (readonly [string, Effect | ''])[] = [
  ['add service principal credentials', 'credential-minting'],
  ['update application – certificates and secrets management', 'credential-minting'],
  ['update application - certificates and secrets management', 'credential-minting'],
  ['add passwordless phone sign-in credential', 'credential-minting'],
  ['create temporary access pass', 'credential-minting'],
  ['admin registered', 'credential-minting'],
  ['reset user password', 'credential-minting'],
  ['reset password', 'credential-minting'],
  ['add app role assignment', 'permission-grant'],
  ['add delegated permission grant', 'permission-grant'],
  ['add oauth2permissiongrant', 'permission-grant'],
  ['consent to application', 'permission-grant'],
  ['add member to role', 'permission-grant'],
  ['add eligible member to role', 'permission-grant'],
  ['add scoped member to role', 'permission-grant'],
  ['add role assignment', 'permission-grant'],
  ['update role definition', 'permission-grant'],
  ['add role definition', 'permission-grant'],
  ['add member to group', 'permission-grant'],
  ['add owner to', 'permission-grant'],
  ['elevate access', 'permission-grant'],
  ['add federated identity credential', 'trust-change'],
  ['update federated identity credential', 'trust-change'],
  ['set domain authentication', 'trust-change'],
  ['set federation settings', 'trust-change'],
  ['add unverified domain', 'trust-change'],
  ['add verified domain', 'trust-change'],
  ['add conditional access policy', 'trust-change'],
  ['update conditional access policy', 'trust-change'],
  ['delete conditional access policy', 'trust-change'],
  ['add named location', 'trust-change'],
  ['update named location', 'trust-change'],
  ['delete named location', 'trust-change'],
  ['add policy', 'trust-change'],
  ['added policy', 'trust-change'],
  ['update policy', 'trust-change'],
  ['delete policy', 'trust-change'],
  ['disable strong authentication', 'trust-change'],
  ['authentication methods policy', 'trust-change'],
  ['update authorization policy', 'trust-change'],
  ['add partner to cross-tenant', 'trust-change'],
  ['update a partner cross-tenant', 'trust-change'],
  ['add service principal', 'identity-creation'],
  ['add application', 'identity-creation'],
  ['add user', 'identity-creation'],
  ['invite external user', 'identity-creation'],
  ['hard delete', 'data-destruction'],
  ['add bitlocker', ''],
  ['read bitlocker key', 'secret-read'],
]

/** Property of `modifiedProperties` in an update of an application, and what the update therefore does. */
const CHANGED: readonly (readonly [string, Effect])[] = [
  ['KeyDescription', 'credential-minting'],
  ['FederatedIdentityCredentials', 'trust-change'],
]

/** Effect of an audit log's operation. `changed`: display names of the properties it modified. */
export function operationEffect(operation: string, changed: readonly string[]): Effect | undefined {
  const name = operation.slice(0, 128).toLowerCase()
  for (const [start, effect] of OPERATIONS)
    if (name.startsWith(start)) return effect === '' ? undefined : effect
  if (name.startsWith('update application') || name.startsWith('update service principal')) {
    for (const [property, effect] of CHANGED) if (changed.includes(property)) return effect
  }
  return undefined
}

/** Parts of a Graph path, and what writing there does; the first that fits counts. */
const GRAPH: readonly (readonly [string, Effect])[] = [
  ['/addpassword', 'credential-minting'],
  ['/addkey', 'credential-minting'],
  ['/addtokensigningcertificate', 'credential-minting'],
  ['/temporaryaccesspassmethods', 'credential-minting'],
  ['/resetpassword', 'credential-minting'],
  ['/federatedidentitycredentials', 'trust-change'],
  ['/federationconfiguration', 'trust-change'],
  ['/conditionalaccess/', 'trust-change'],
  ['/policies/', 'trust-change'],
  ['/approleassign', 'permission-grant'],
  ['/oauth2permissiongrants', 'permission-grant'],
  ['/rolemanagement/', 'permission-grant'],
  ['/directoryroles', 'permission-grant'],
  ['/members/$ref', 'permission-grant'],
  ['/owners/$ref', 'permission-grant'],
  ['/invite', 'sharing-outside'],
  ['/createlink', 'sharing-outside'],
]

const CREATED = new Set(['users', 'applications', 'serviceprincipals', 'invitations'])

/** Effect of a call to Graph, by its method and its route template (`/v1.0/users/{id}`): a doubled or trailing slash must not hide it. */
export function graphEffect(method: string, path: string): Effect | undefined {
  if (method === 'GET' || method === 'HEAD' || method === '') return undefined
  // An action may be called by its qualified name: `microsoft.graph.addPassword`.
  const lower = path.toLowerCase().replaceAll('microsoft.graph.', '')
  if (method !== 'DELETE') {
    for (const [part, effect] of GRAPH) if (lower.includes(part)) return effect
    const [, , first = '', second] = lower.split('/', 4)
    if (method === 'POST' && second === undefined && CREATED.has(first)) return 'identity-creation'
    return undefined
  }
  return lower.includes('/policies/') || lower.includes('/conditionalaccess/') ? 'trust-change' : undefined
}

export function levelOf(effect: Effect | undefined, writes: boolean): AccessLevel {
  if (effect === 'permission-grant' || effect === 'trust-change') return 'permissions'
  if (effect === 'credential-minting') return 'auth'
  return writes ? 'write' : 'read'
}

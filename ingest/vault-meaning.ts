/** What a request to Vault or OpenBao does: its route, the power it uses, and what it does to security. */
import type { AccessLevel, Effect } from './activity.ts'
import { templatePath } from './route-template.ts'

export interface VaultCall {
  readonly operation: string
  /** Within the namespace, with the mount: `kv/data/payments/db`. */
  readonly path: string
  /** `kv/`, `auth/approle/`; '' on lines of old servers. */
  readonly mount: string
  /** `kv`, `pki`, `approle`; '' on lines of old servers. */
  readonly mountType: string
}

export interface VaultMeaning {
  /** `read kv/data/{path}`, `update auth/approle/login` */
  readonly action: string
  readonly mount: string
  readonly accessLevel: AccessLevel
  readonly effect: Effect | undefined
  /** Is this how a token is obtained? */
  readonly login: boolean
  /** `kv/payments`: mount and first part of the path; what a policy is usually written for. */
  readonly resourceClass: string
  /** Of a path that edits an entity, its id; else ''. */
  readonly entity: string
  /** Of a path that edits a policy, or issues by a role, its name; else ''. */
  readonly name: string
}

const known = new Map<string, VaultMeaning>()
const MOST_KNOWN = 10_000
const LONGEST_KEY = 512

/** Paths repeat with every event, so they are judged once; the longest ones, which are hostile or unique, every time. */
export function vaultMeaning(call: VaultCall): VaultMeaning {
  const key = `${call.operation}\n${call.mount}\n${call.mountType}\n${call.path}`
  const cached = known.get(key)
  if (cached !== undefined) return cached
  const meaning = judge(call)
  if (key.length <= LONGEST_KEY) {
    if (known.size >= MOST_KNOWN) known.clear()
    known.set(key, meaning)
  }
  return meaning
}

function judge(call: VaultCall): VaultMeaning {
  const path = call.path.slice(0, 1024)
  const mount = mountIn(call.mount, path) || mountOf(path)
  const rest = path.slice(mount.length)
  const segments = rest.split('/', 8)
  const facts: Facts = {
    operation: call.operation,
    writes: call.operation !== 'read' && call.operation !== 'list' && call.operation !== 'help',
    area: mount === 'sys/' || mount === 'identity/' ? mount : mount.startsWith('auth/') ? 'auth/' : 'secrets',
    type: plainType(call.mountType) || typeOf(mount),
    segments,
    rest,
  }
  const login = isLogin(facts)
  const effect = login ? undefined : effectOf(facts)
  return {
    action: `${call.operation} ${mount}${routeOf(facts, login)}`,
    mount,
    accessLevel: levelOf(facts, login, effect),
    effect,
    login,
    resourceClass: classOf(facts, mount),
    entity:
      mount === 'identity/' && segments[0] === 'entity' && segments[1] === 'id' ? (segments[2] ?? '') : '',
    name: nameOf(facts),
  }
}

interface Facts {
  readonly operation: string
  readonly writes: boolean
  readonly area: 'sys/' | 'identity/' | 'auth/' | 'secrets'
  readonly type: string
  readonly segments: readonly string[]
  readonly rest: string
}

/** The mount as the path begins with it: within a namespace, servers write it with the namespace before it. '' if neither. */
function mountIn(mount: string, path: string): string {
  const most = mount.slice(0, 1024)
  for (let at = 0; at < most.length; ) {
    if (path.startsWith(most.slice(at))) return most.slice(at)
    const slash = most.indexOf('/', at)
    if (slash < 0) break
    at = slash + 1
  }
  return ''
}

/** The built-in engines of a namespace are called `ns_token`, `ns_system`, … */
const plainType = (type: string): string => (type.startsWith('ns_') ? type.slice(3) : type)

/** The mount by the first part of the path, for lines that do not name it. */
function mountOf(path: string): string {
  const [first = '', second = ''] = path.split('/', 2)
  if (first === 'auth' && second !== '') return `auth/${second}/`
  return path.includes('/') ? `${first}/` : first
}

/** Most mounts are called what they are. */
function typeOf(mount: string): string {
  const name = mount.replace(/^auth\//, '').replace(/\/$/, '')
  return name === 'secret' ? 'kv' : name
}

function isLogin({ area, type, segments }: Facts): boolean {
  if (area !== 'auth/') return false
  const [first = '', second = ''] = segments
  if (type === 'token') return false
  return (
    first === 'login' ||
    (first === 'oidc' && second === 'callback') ||
    (first === 'callback' && type === 'saml')
  )
}

/** The parts that name one secret or one person are left out: `data/{path}`, `login/{name}`. */
function routeOf({ area, type, segments, rest }: Facts, login: boolean): string {
  const [first = ''] = segments
  if (login) return segments.length > 1 && first === 'login' ? 'login/{name}' : first
  if (area === 'secrets' && (type === 'kv' || type === 'generic' || type === 'cubbyhole')) {
    const versioned = KV2.has(first) && segments.length > 1
    return versioned ? `${first}/${segments[1] === '' ? '' : '{path}'}` : rest === '' ? '' : '{path}'
  }
  const template = rest === '' ? '' : templatePath(isSerial(segments[1]) ? `${first}/{id}` : rest)
  return template.startsWith('/') ? template.slice(1) : template
}

const KV2 = new Set(['data', 'metadata', 'delete', 'undelete', 'destroy', 'subkeys'])

/** `34:5d:76:…` of a certificate. */
function isSerial(segment: string | undefined): boolean {
  return segment !== undefined && /^[0-9a-f]{2}(?:[:-][0-9a-f]{2}){7,}$/i.test(segment.slice(0, 128))
}

function classOf({ area, type, segments }: Facts, mount: string): string {
  const versioned = area === 'secrets' && type === 'kv' && KV2.has(segments[0] ?? '')
  const first = (versioned ? segments[1] : segments[0]) ?? ''
  return `${mount}${templatePath(first).slice(1)}`
}

function nameOf({ area, type, segments }: Facts): string {
  const [first = '', second = '', third = ''] = segments
  if (area === 'sys/' && first === 'policies') return third
  if (area === 'sys/' && first === 'policy') return second
  if (area === 'auth/' && (first === 'role' || (type === 'token' && first === 'create'))) return second
  return ''
}

function levelOf(
  { area, type, operation, segments }: Facts,
  login: boolean,
  effect: Effect | undefined,
): AccessLevel {
  if (login) return 'auth'
  if (operation === 'list') return 'list'
  if (operation === 'read' || operation === 'help') return 'read'
  if (area === 'auth/' && type === 'token') return 'auth'
  if (effect === 'permission-grant' || effect === 'trust-change') return 'permissions'
  if (effect === 'credential-minting') return 'auth'
  return area === 'identity/' || (area === 'sys/' && segments[0] === 'policies') ? 'permissions' : 'write'
}

function effectOf(facts: Facts): Effect | undefined {
  switch (facts.area) {
    case 'sys/':
      return systemEffect(facts)
    case 'identity/':
      return identityEffect(facts)
    case 'auth/':
      return authEffect(facts)
    case 'secrets':
      return secretsEffect(facts)
    default:
      return facts.area satisfies never
  }
}

function systemEffect({ segments, writes, operation }: Facts): Effect | undefined {
  const [first = '', second = ''] = segments
  if (first === 'raw') return writes ? 'data-destruction' : 'secret-read'
  if (first === 'storage')
    return writes
      ? 'data-destruction'
      : second === 'raft' && segments[2] === 'snapshot'
        ? 'secret-read'
        : undefined
  if (!writes) return undefined
  const deletes = operation === 'delete'
  switch (first) {
    case 'audit':
      return 'audit-tampering'
    case 'config':
      return second === 'auditing' || second === 'state' ? 'audit-tampering' : undefined
    case 'policy':
    case 'policies':
      return 'permission-grant'
    case 'auth':
      return 'trust-change'
    case 'generate-root':
    case 'generate-recovery-token':
    case 'rekey':
    case 'rekey-recovery-key':
      return 'credential-minting'
    case 'seal':
      return 'data-destruction'
    case 'mounts':
    case 'namespaces':
      return deletes ? 'data-destruction' : undefined
    case 'plugins':
      return 'code-change'
    default:
      return undefined
  }
}

function identityEffect({ segments, writes, operation }: Facts): Effect | undefined {
  if (!writes) return undefined
  const [first = '', second = ''] = segments
  switch (first) {
    case 'entity':
      if (operation === 'delete' || second === 'batch-delete') return 'data-destruction'
      if (second === 'merge') return 'trust-change'
      return second === '' ? 'identity-creation' : 'permission-grant'
    case 'group':
      return 'permission-grant'
    case 'entity-alias':
    case 'group-alias':
    case 'alias':
    case 'persona':
    case 'oidc':
    case 'mfa':
      return 'trust-change'
    default:
      return undefined
  }
}

function authEffect({ segments, type, writes, operation }: Facts): Effect | undefined {
  if (!writes) return undefined
  const [first = '', , third = ''] = segments
  if (type === 'token') {
    if (first === 'create' || first === 'create-orphan') return 'credential-minting'
    return first === 'roles' ? 'permission-grant' : undefined
  }
  if (first === 'role' && (third === 'secret-id' || third === 'custom-secret-id')) {
    // Destroying one is the opposite of issuing it.
    return segments.length > 3 || operation === 'delete' ? undefined : 'credential-minting'
  }
  if (operation === 'delete') return undefined
  if (first === 'role' && third.startsWith('secret-id-accessor')) return undefined
  if (first === 'config' || first === 'tidy') return first === 'config' ? 'trust-change' : undefined
  if (first === 'users' || first === 'role' || first === 'roles' || first === 'certs') {
    return operation === 'create' ? 'identity-creation' : 'permission-grant'
  }
  return first === 'groups' || first === 'map' ? 'permission-grant' : undefined
}

function secretsEffect({ segments, type, writes, operation, rest }: Facts): Effect | undefined {
  const [first = '', second = ''] = segments
  switch (type) {
    case 'kv':
    case 'generic':
      if (operation === 'delete' || first === 'destroy' || (first === 'delete' && writes))
        return 'data-destruction'
      return operation === 'read' && first !== 'metadata' && first !== 'config' && rest !== ''
        ? 'secret-read'
        : undefined
    case 'transit':
      if (first === 'decrypt' || first === 'export' || first === 'backup') return 'secret-read'
      return operation === 'delete' ? 'data-destruction' : undefined
    case 'pki':
      if (writes && PKI_ISSUES.has(first)) return 'credential-minting'
      if (writes && (first === 'root' || first === 'intermediate' || first === 'issuers'))
        return operation === 'delete'
          ? 'data-destruction'
          : second === 'generate'
            ? 'credential-minting'
            : 'trust-change'
      return writes && first === 'roles' ? 'permission-grant' : undefined
    case 'ssh':
      if (writes && (first === 'sign' || first === 'issue' || first === 'creds')) return 'credential-minting'
      return writes && first === 'roles' ? 'permission-grant' : undefined
    case 'cubbyhole':
      return undefined
    default:
      // Engines of short-lived credentials: databases, clouds, directories. They answer reads.
      if (
        first === 'creds' ||
        first === 'static-creds' ||
        first === 'sts' ||
        first === 'token' ||
        first === 'key'
      )
        return 'credential-minting'
      if (!writes) return undefined
      if (first === 'config') return 'trust-change'
      return first === 'roles' || first === 'roleset' || first === 'static-roles'
        ? 'permission-grant'
        : undefined
  }
}

const PKI_ISSUES = new Set(['issue', 'sign', 'sign-verbatim', 'issuer'])

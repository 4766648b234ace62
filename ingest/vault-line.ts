/** A line of the audit log of Vault or OpenBao: its shape, and what it says beside its path. */
import { z } from 'zod'
import type { ActivityOutcome, Draft } from './activity.ts'
import { isJsonObject, objectAt, textAt } from './json-values.ts'
import type { VaultCaller } from './vault-identity.ts'
import type { VaultMeaning } from './vault-meaning.ts'

const text = z.string().nullish()

const auth = z
  .object({
    client_token: text,
    accessor: text,
    display_name: text,
    entity_id: text,
    policies: z.array(z.string()).nullish(),
    policy_results: z.object({ allowed: z.boolean().nullish() }).nullish(),
    metadata: z.unknown().optional(),
    token_type: text,
    token_ttl: z.number().nullish(),
  })
  .nullish()

/** Bodies are read by hand: their shape is the business of the engine that was called. */
export const auditRecord = z.object({
  time: z.union([z.string(), z.number()]).nullish(),
  type: z.string(),
  error: text,
  auth,
  request: z.object({
    id: text,
    operation: text,
    path: text,
    mount_point: text,
    mount_type: text,
    client_token: text,
    client_token_accessor: text,
    namespace: z.object({ id: text, path: text }).nullish(),
    remote_address: text,
    headers: z.record(z.string(), z.unknown()).nullish(),
    data: z.unknown().optional(),
    policy_override: z.boolean().nullish(),
  }),
  response: z
    .object({
      auth,
      data: z.unknown().optional(),
      secret: z.object({ lease_id: text }).nullish(),
      wrap_info: z.unknown().optional(),
    })
    .nullish(),
})

export type AuditRecord = z.infer<typeof auditRecord>

/** Who made the request, as far as its line says. */
export function callerOf(record: AuditRecord, meaning: VaultMeaning): VaultCaller {
  const { request, auth: who } = record
  const namespace = request.namespace?.path?.replace(/\/$/, '') || request.namespace?.id || 'root'
  return {
    namespace,
    entityId: who?.entity_id ?? '',
    displayName: who?.display_name ?? '',
    accessor: who?.accessor || request.client_token_accessor || '',
    tokenHash: request.client_token || who?.client_token || '',
    root: who?.policies?.includes('root') === true,
    loginType: meaning.login ? (request.mount_type ?? '') : '',
    role: roleOf(record),
  }
}

/** Role of an AppRole or service account login; all AppRole tokens have one display name. */
function roleOf({ auth: who }: AuditRecord): string {
  if (!isJsonObject(who?.metadata)) return ''
  return textAt(who.metadata, 'role_name') || textAt(who.metadata, 'role')
}

export function userAgentOf({ request }: AuditRecord): string {
  const { headers } = request
  if (headers == null) return ''
  const value = Object.hasOwn(headers, 'user-agent') ? headers['user-agent'] : undefined
  const first: unknown = Array.isArray(value) ? value[0] : value
  return typeof first === 'string' ? first.slice(0, 512) : ''
}

/** A token with a lifetime is a session that may be seen moving; a login is named by its method. */
export function methodOf(
  { request, auth: who }: AuditRecord,
  meaning: VaultMeaning,
  caller: VaultCaller,
): string | undefined {
  if (meaning.login) return request.mount_type || undefined
  if (caller.accessor === '' || who?.display_name == null) return undefined
  return (who.token_ttl ?? 0) > 0 ? 'session' : 'token'
}

export function outcomeOf(record: AuditRecord, meaning: VaultMeaning): ActivityOutcome {
  if (record.auth?.policy_results?.allowed === false) return 'denied'
  const error = record.error ?? ''
  if (error !== '')
    return meaning.login || REFUSALS.some((part) => error.includes(part)) ? 'denied' : 'failure'
  if (!meaning.login || record.auth?.client_token || record.response?.wrap_info != null) return 'success'
  return hasError(record) ? 'denied' : 'unknown'
}

const REFUSALS = ['permission denied', 'missing client token', 'invalid token', 'bad token', 'not authorized']

/** A wrong password is answered by a body with an error, and no error in the line. */
function hasError({ response }: AuditRecord): boolean {
  return isJsonObject(response?.data) && response.data.error !== undefined
}

/** The first error of `1 error occurred:\n\t* permission denied\n\n`. */
export function errorOf(record: AuditRecord, meaning: VaultMeaning): string {
  const error = (record.error ?? '').slice(0, 512)
  if (error === '') return meaning.login ? 'login refused' : 'permission denied'
  const star = error.indexOf('* ')
  const from = star < 0 ? 0 : star + 2
  const end = error.indexOf('\n', from)
  return error.slice(from, end < 0 ? from + 64 : Math.min(end, from + 64)).trim()
}

/** An edit of an entity that only disables or enables it gives nobody a permission. */
export function effectOf({ request }: AuditRecord, meaning: VaultMeaning): Draft['effect'] {
  if (meaning.entity === '' || meaning.effect !== 'permission-grant') return meaning.effect
  if (!isJsonObject(request.data)) return meaning.effect
  const names = Object.keys(request.data)
  return names.length > 0 && names.every((name) => name === 'disabled' || name === 'metadata')
    ? undefined
    : meaning.effect
}

export function detailsOf(
  record: AuditRecord,
  meaning: VaultMeaning,
  caller: VaultCaller,
  self: string,
): Record<string, string> {
  const details: Record<string, string> = {}
  if (caller.tokenHash !== '') details.tokenHash = caller.tokenHash
  if (caller.role !== '') details.role = caller.role.slice(0, 256)
  if (meaning.entity !== '') details.targetIdentity = `vault:${caller.namespace}:entity:${meaning.entity}`
  const effect = effectOf(record, meaning)
  if (effect === 'permission-grant') {
    if (details.targetIdentity !== undefined) details.grantee = details.targetIdentity
    if (meaning.name !== '') details.grant = meaning.name.slice(0, 256)
    // Whoever writes a policy that it holds writes its own permissions.
    if (meaning.mount === 'sys/' && record.auth?.policies?.includes(meaning.name))
      details.targetIdentity = self
  }
  if (effect !== 'credential-minting') return details
  const issued = record.response?.auth
  const body = objectAt({ data: record.response?.data }, 'data')
  const id =
    issued?.accessor ||
    textAt(body, 'secret_id_accessor') ||
    textAt(body, 'serial_number') ||
    record.response?.secret?.lease_id
  if (id) details.issuedCredential = id
  // A child token may die before its first use: only here does the log say whose it is.
  if (issued?.client_token) details.issuedTokenHash = issued.client_token
  details.issuedTo = issuedTo(meaning, caller, issued?.entity_id ?? '', self)
  return details
}

/** Certificates, leases and child tokens are the caller's own; a secret id is the role's it is for. */
function issuedTo(meaning: VaultMeaning, caller: VaultCaller, entityId: string, self: string): string {
  if (entityId !== '') return `vault:${caller.namespace}:entity:${entityId}`
  const own =
    meaning.mount === 'auth/token/' || !meaning.mount.startsWith('auth/') || meaning.name === caller.role
  return own ? self : `vault:${caller.namespace}:${meaning.mount}role/${meaning.name}`
}

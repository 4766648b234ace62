/** Who acted in a tenant of Microsoft Entra. */
import type { Human, Identity, IdentityKind } from './activity.ts'
import type { EntraProperties } from './entra-record.ts'

/** What an operator of a tenant cannot see or has not got: the all-zero id of names that exist nowhere. */
const isNobody = (id: string | null | undefined): boolean => !id || /^[0-]+$/.test(id)

/** The service principal, else the application; nobody when the log names neither. */
export function machine(
  tenant: string,
  by: Pick<EntraProperties, 'servicePrincipalId' | 'appId'>,
  who: 'service-principal' | 'managed-identity',
): Identity {
  const managed = who === 'managed-identity'
  const kind = managed ? 'workload' : 'client'
  const reason = managed ? 'managed identity' : 'service principal'
  if (!isNobody(by.servicePrincipalId))
    return identity(tenant, `sp:${by.servicePrincipalId}`, kind, 'no', reason)
  if (!isNobody(by.appId)) return identity(tenant, `app:${by.appId}`, kind, 'no', 'application')
  return nobody(tenant)
}

export function user(tenant: string, id: string | null | undefined, human: Human): Identity {
  const reason = human === 'yes' ? 'user account' : 'an application acts for a user'
  return isNobody(id) ? nobody(tenant) : identity(tenant, `user:${id}`, 'user', human, reason)
}

const nobody = (tenant: string): Identity =>
  identity(tenant, 'anonymous', 'anonymous', 'unknown', 'no known account or application')

function identity(
  tenant: string,
  name: string,
  kind: IdentityKind,
  human: Human,
  humanReason: string,
): Identity {
  return { id: `entra:${tenant}:${name}`, kind, provider: 'entra', tenant, human, humanReason }
}

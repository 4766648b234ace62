import type { Random } from '../random.ts'
import { KEYCLOAK_REALM } from './canonical-ids.ts'
import type { CompanyRecord } from './record.ts'

export interface KeycloakEvent {
  /** Epoch ms. */
  readonly time: number
  readonly type: string
  readonly clientId: string
  readonly userId: string
  readonly username: string
  readonly address: string
  readonly scope: string
  readonly grantType?: string | undefined
  readonly error?: string | undefined
  readonly sessionId?: string | undefined
}

export const KEYCLOAK_REALM_ID = '5e7f1c2a-9d34-4b0e-8a61-0c5f3b7d9e12'

/** One event as the HTTP event listener sends it. Event and token id are drawn from `random`. */
export function keycloakLine(event: KeycloakEvent, random: Random): string {
  const id = random.uuid()
  const error = event.error === undefined ? '' : `"error":"${event.error}",`
  const token = event.error === undefined ? `"token_id":"trrtcc:${random.uuid()}",` : ''
  const session = event.sessionId === undefined ? '' : `"sessionId":"${event.sessionId}",`
  return `{"id":"${id}","time":${event.time},"type":"${event.type}","realmId":"${KEYCLOAK_REALM_ID}","realmName":"${KEYCLOAK_REALM}","clientId":"${event.clientId}","userId":"${event.userId}",${session}"ipAddress":"${event.address}",${error}"details":{${token}"grant_type":"${event.grantType ?? 'client_credentials'}","scope":"${event.scope}","client_auth_method":"client-secret","username":"${event.username}","authSessionParentId":"${random.uuid()}","authSessionTabId":"${random.hex(11)}"}}`
}

export function keycloakRecord(event: KeycloakEvent, random: Random): CompanyRecord {
  return { time: event.time, source: 'keycloak', line: keycloakLine(event, random) }
}

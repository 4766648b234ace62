/** Keycloak's events in either dress: the text inside a log line, and the object that listeners and the API give. */
import { z } from 'zod'
import { asObject, asText } from './json-values.ts'
import { readPairs } from './key-value-text.ts'

const text = z.string().nullish()
const moment = z.union([z.string(), z.number()]).nullish()

/** A line of the server's log (the event is text in `message`), or an event as its listeners and its API give it. */
export const keycloakRecord = z.object({
  loggerName: text,
  message: text,
  timestamp: moment,
  id: text,
  time: moment,
  type: text,
  realmId: text,
  realmName: text,
  clientId: text,
  userId: text,
  sessionId: text,
  ipAddress: text,
  error: text,
  details: z.record(z.string(), z.unknown()).nullish(),
  operationType: text,
  resourceType: text,
  resourcePath: text,
  representation: text,
  authDetails: z
    .object({ realmId: text, realmName: text, clientId: text, userId: text, ipAddress: text })
    .nullish(),
})

export type KeycloakRecord = z.infer<typeof keycloakRecord>

/** An event in either dress. All texts may be ''. */
export interface KeycloakEvent {
  readonly type: string
  readonly operation: string
  readonly realm: string
  /** Realm that an admin event changed; '' when it does not say. */
  readonly changedRealm: string
  readonly clientId: string
  readonly userId: string
  readonly sessionId: string
  readonly address: string
  readonly error: string
  readonly resourceType: string
  readonly resourcePath: string
  readonly representation: string
  readonly detail: (name: string) => string
}

/** The event of a record; null when the event logger wrote something else. */
export function eventOf(record: KeycloakRecord): KeycloakEvent | null {
  if (record.loggerName != null) {
    const pairs = readPairs(record.message ?? '')
    const get = (name: string): string => known(pairs.get(name))
    if (get('type') === '' && get('operationType') === '') return null
    const realm = get('realmName') || get('realmId')
    return {
      type: get('type'),
      operation: get('operationType'),
      realm,
      // The log names the administrator's realm only. Administrators of the master realm change others; all the rest can
      // change none but their own.
      changedRealm: realm === 'master' ? '' : realm,
      clientId: get('clientId'),
      userId: get('userId'),
      sessionId: get('sessionId'),
      address: get('ipAddress'),
      error: get('error'),
      resourceType: get('resourceType'),
      resourcePath: get('resourcePath'),
      representation: get('representation'),
      detail: get,
    }
  }
  const details = asObject(record.details)
  const actor = record.authDetails ?? record
  const realm = known(record.realmName) || known(record.realmId)
  return {
    type: known(record.type),
    operation: known(record.operationType),
    realm: known(actor.realmName) || known(actor.realmId),
    changedRealm: realm,
    clientId: known(actor.clientId),
    userId: known(actor.userId),
    sessionId: known(record.sessionId),
    address: known(actor.ipAddress),
    error: known(record.error),
    resourceType: known(record.resourceType),
    resourcePath: known(record.resourcePath),
    representation: known(record.representation),
    detail: (name) => (Object.hasOwn(details, name) ? known(asText(details[name])) : ''),
  }
}

/** The server writes an absent value as the word null. */
const known = (value: string | null | undefined): string => (value == null || value === 'null' ? '' : value)

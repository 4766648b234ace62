/** A change in the directory, from Microsoft Entra's AuditLogs. */
import type { Draft } from './activity.ts'
import { machine, user } from './entra-identity.ts'
import { levelOf, operationEffect } from './entra-meaning.ts'
import { type EntraRecord, type EntraTarget, type Frame, named } from './entra-record.ts'

export function directoryChange(entry: EntraRecord, frame: Frame): Draft {
  const { properties } = entry
  const { app, user: person } = properties.initiatedBy ?? {}
  const target = properties.targetResources?.[0] ?? undefined
  const changed = (target?.modifiedProperties ?? []).map((each) => each?.displayName ?? '')
  const action = (
    properties.activityDisplayName ||
    properties.operationName ||
    entry.operationName ||
    'unknown'
  ).trim()
  const effect = operationEffect(action, changed)
  const result = properties.result?.toLowerCase()
  return {
    eventId: frame.eventId,
    time: frame.time,
    origin: person?.ipAddress || frame.origin,
    class: 'api_activity',
    identity:
      app == null ? user(frame.tenant, person?.id, 'yes') : machine(frame.tenant, app, 'service-principal'),
    action,
    service: properties.loggedByService || 'directory',
    accessLevel: levelOf(effect, true),
    effect,
    outcome: result === 'success' ? 'success' : result === undefined || result === '' ? 'unknown' : 'failure',
    errorCode: result === 'success' ? '' : (properties.resultReason ?? result ?? ''),
    resourceClass: target?.type ?? undefined,
    resources: target?.id ? [`${target.type ?? 'target'}:${target.id}`] : undefined,
    userAgent: properties.userAgent ?? undefined,
    requestId: properties.correlationId ?? undefined,
    details: changeDetails(target, frame.tenant, effect),
  }
}

function changeDetails(
  target: EntraTarget | undefined,
  tenant: string,
  effect: Draft['effect'],
): Record<string, string> {
  const prefix = PREFIXES.get(target?.type ?? '')
  const identity = prefix !== undefined && target?.id ? `entra:${tenant}:${prefix}:${target.id}` : ''
  const minted = effect === 'credential-minting'
  const granted = effect === 'permission-grant'
  return named({
    targetIdentity: identity,
    issuedTo: minted ? identity : '',
    issuedCredential: minted ? between(modifiedValue(target, 'KeyDescription'), 'KeyIdentifier=', ',') : '',
    grantee: granted ? identity : '',
    grant: granted
      ? unquoted(
          modifiedValue(target, 'AppRole.Value') ||
            modifiedValue(target, 'Role.DisplayName') ||
            modifiedValue(target, 'DelegatedPermissionGrant.Scope') ||
            modifiedValue(target, 'Group.DisplayName'),
        )
      : '',
  })
}

/** Targets that are identities; policies, groups and devices are not. */
const PREFIXES: ReadonlyMap<string, string> = new Map([
  ['ServicePrincipal', 'sp'],
  ['Application', 'app'],
  ['User', 'user'],
])

function modifiedValue(target: EntraTarget | undefined, property: string): string {
  return target?.modifiedProperties?.find((each) => each?.displayName === property)?.newValue ?? ''
}

/** Values of modified properties are JSON texts inside strings: `"Reader"`. */
const unquoted = (value: string): string => value.replaceAll('"', '').slice(0, 256)

function between(text: string, start: string, end: string): string {
  const at = text.indexOf(start)
  if (at < 0) return ''
  const from = at + start.length
  const to = text.indexOf(end, from)
  return text.slice(from, to < 0 ? text.length : to).slice(0, 128)
}

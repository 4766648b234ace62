/** A call to Microsoft Graph, from MicrosoftGraphActivityLogs. */
import type { ActivityOutcome, Draft } from './activity.ts'
import { machine, user } from './entra-identity.ts'
import { graphEffect, levelOf } from './entra-meaning.ts'
import { type EntraRecord, type Frame, named } from './entra-record.ts'
import { templatePath } from './route-template.ts'

const GRAPH_METHODS: ReadonlyMap<string, string> = new Map([
  ['1', 'client-secret'],
  ['2', 'certificate'],
])

export function graphCall(entry: EntraRecord, frame: Frame): Draft {
  const { properties } = entry
  const uri = properties.requestUri ?? ''
  const { host, path } = splitUri(uri)
  const method = (properties.requestMethod ?? '').slice(0, 16).toUpperCase()
  const template = templatePath(path)
  const effect = graphEffect(method, template)
  const status = Number(properties.responseStatusCode ?? entry.resultType ?? 0)
  const byUser = !properties.servicePrincipalId && Boolean(properties.userId)
  return {
    eventId: frame.eventId,
    time: frame.time,
    origin: frame.origin,
    class: 'api_activity',
    identity: byUser
      ? user(frame.tenant, properties.userId, 'unknown')
      : machine(frame.tenant, properties, 'service-principal'),
    action: `${method} ${template}`,
    service: host || 'graph.microsoft.com',
    accessLevel: levelOf(effect, method !== 'GET' && method !== 'HEAD'),
    effect,
    outcome: outcomeOf(status),
    errorCode: status >= 400 ? String(status) : '',
    resourceClass: template.split('/', 3)[2] || undefined,
    resources: path === '' ? undefined : [path],
    authMethod: GRAPH_METHODS.get(String(properties.clientAuthMethod ?? '')),
    session: properties.signInActivityId || undefined,
    userAgent: properties.userAgent ?? undefined,
    requestId: properties.requestId ?? undefined,
    bytesOut: properties.responseSizeBytes ?? undefined,
    details: named({ appId: properties.appId, scopes: properties.scopes, roles: properties.roles }),
  }
}

function outcomeOf(status: number): ActivityOutcome {
  if (status === 401 || status === 403) return 'denied'
  if (status >= 400) return 'failure'
  return status >= 100 ? 'success' : 'unknown'
}

function splitUri(uri: string): { readonly host: string; readonly path: string } {
  const scheme = uri.indexOf('://')
  const slash = uri.indexOf('/', scheme < 0 ? 0 : scheme + 3)
  const query = uri.indexOf('?')
  const end = query < 0 ? uri.length : query
  const host = scheme < 0 ? '' : uri.slice(scheme + 3, slash < 0 ? end : slash).slice(0, 128)
  return { host, path: slash < 0 || slash >= end ? '' : uri.slice(slash, Math.min(end, slash + 1024)) }
}

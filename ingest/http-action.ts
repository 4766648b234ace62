import type { AccessLevel, ActivityOutcome } from './activity.ts'

/** What an HTTP request does, for all gateways. */
export function httpAccessLevel(method: string): AccessLevel {
  switch (method) {
    case 'GET':
    case 'HEAD':
    case 'OPTIONS':
      return 'read'
    default:
      return 'write'
  }
}

/** 401 and 403 are refusals; any other status from 400 on, and 0 (no answer), is a failure. */
export function httpOutcome(status: number): ActivityOutcome {
  if (!Number.isInteger(status) || status < 0 || status > 999) return 'unknown'
  if (status === 401 || status === 403) return 'denied'
  return status === 0 || status >= 400 ? 'failure' : 'success'
}

/** The status as an error code, absent on success and when it is no status; 0 is a request that got no answer. */
export function httpErrorCode(status: number): string | undefined {
  const outcome = httpOutcome(status)
  return outcome === 'denied' || outcome === 'failure' ? String(status) : undefined
}

/** Known methods in upper case; anything else is `OTHER`, because the caller chooses it. */
export function httpMethod(method: string): string {
  const upper = method.toUpperCase()
  return METHODS.has(upper) ? upper : 'OTHER'
}

const METHODS: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'OPTIONS',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'CONNECT',
  'TRACE',
])

/** The family of routes an action belongs to: its first two constant segments. */
export function routeFamily(template: string): string {
  const segments = template.split('/').filter((segment) => segment !== '' && !segment.startsWith('{'))
  return segments.length === 0 ? '/' : `/${segments.slice(0, 2).join('/')}`
}

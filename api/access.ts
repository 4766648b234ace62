import { isIPv4 } from 'node:net'
import { Problem } from './problem.ts'
import { createTokenCheck } from './tokens.ts'

/**
 * Who may call. With a token: whoever shows it. Without one: programs on this machine only, which takes more than a
 * loopback address: a web page in a local browser can also reach it, by a name of its own that resolves to 127.0.0.1
 * (DNS rebinding: told by Host) or by a plain cross-site request (told by Origin and Sec-Fetch-Site).
 */
export interface AccessRequest {
  /** Pattern of the route that will answer, '' when there is none. Not the path: that can be written in many ways. */
  readonly route: string
  readonly authorization: string | undefined
  readonly host: string | undefined
  readonly origin: string | undefined
  readonly fetchSite: string | undefined
}

export class AccessError extends Error {
  readonly code = 'token-required'
}

/** Throws AccessError (`token-required`) when the API would be reachable from other machines without a token. */
export function refuseOpenBinding(host: string, token: string | undefined): void {
  if (token !== undefined || isLoopbackName(host)) return
  throw new AccessError(
    `Listening on ${host} makes the API reachable from other machines, which needs a token: set PLUMBLINE_TOKEN to at ` +
      'least 16 random characters (`openssl rand -hex 32`), or listen on 127.0.0.1.',
  )
}

/** Loopback by name or address: `localhost`, 127.0.0.0/8, `::1`, with or without brackets. */
export function isLoopbackName(name: string): boolean {
  const host = name.toLowerCase().replace(/^\[(.*)\]$/, '$1')
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'))
}

/** Everything else needs the token, whatever is added later. */
const OPEN: ReadonlySet<string> = new Set(['/health', '/ready'])

/** Makes the guard: throws a Problem for a request that may not be answered. */
export function createAccessGuard(token: string | undefined): (request: AccessRequest) => void {
  if (token === undefined) return guardLoopback
  const check = createTokenCheck(token)
  return ({ route, authorization }) => {
    if (OPEN.has(route)) return
    const verdict = check(authorization)
    if (verdict === 'missing') throw new Problem('unauthenticated', 'There is no bearer token.')
    if (verdict === 'wrong') throw new Problem('wrong-token', 'The bearer token is not the right one.')
  }
}

function guardLoopback({ host, origin, fetchSite }: AccessRequest): void {
  const name = hostName(host ?? '')
  if (name === undefined || !isLoopbackName(name))
    throw new Problem('foreign-host', 'The Host header is not a loopback name.')
  const foreign = origin !== undefined && origin.toLowerCase() !== `http://${(host ?? '').toLowerCase()}`
  const crossSite = fetchSite !== undefined && fetchSite !== 'same-origin' && fetchSite !== 'none'
  if (foreign || crossSite) throw new Problem('foreign-origin', 'The request comes from another web site.')
}

/** Host without its port; undefined for anything that is not exactly a host and a port. */
function hostName(host: string): string | undefined {
  return /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::\d{1,5})?$/i.exec(host)?.[1]
}

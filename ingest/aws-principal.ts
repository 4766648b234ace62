/**
 * The one id of an IAM role, user or group however an ARN spells it: without its path, and a session as its role. Names are
 * unique within an account whatever the path, and most of CloudTrail (parameters, session ARNs) leaves the path out: only
 * so is the identity that acts the same as the identity acted on. Anything else, wildcards too, is returned as it is.
 */
export function canonicalPrincipal(arn: string): string {
  if (!arn.startsWith('arn:')) return arn
  const service = arn.indexOf(':', 4)
  if (service < 0) return arn
  if (arn.startsWith(':sts::', service)) return roleOfSession(arn, service)
  if (!arn.startsWith(':iam::', service)) return arn
  const type = arn.indexOf(':', service + 6) + 1
  const path = arn.indexOf('/', type) + 1
  const name = arn.lastIndexOf('/') + 1
  if (type === 0 || path === 0 || path === name || name === arn.length) return arn
  if (!NAMED.has(arn.slice(type, path)) || arn.includes('*', path)) return arn
  return arn.slice(0, path) + arn.slice(name)
}

const NAMED: ReadonlySet<string> = new Set(['role/', 'user/', 'group/'])

/** `arn:aws:sts::1:assumed-role/name/session` → `arn:aws:iam::1:role/name`. */
function roleOfSession(arn: string, sts: number): string {
  const type = arn.indexOf(':', sts + 6) + 1
  if (type === 0 || !arn.startsWith('assumed-role/', type)) return arn
  const rest = arn.slice(type + 13)
  const slash = rest.indexOf('/')
  const name = slash < 0 ? rest : rest.slice(0, slash)
  return name === '' ? arn : `${arn.slice(0, sts)}:iam::${arn.slice(sts + 6, type)}role/${name}`
}

/** The software behind a user agent, without versions. Cached: a log repeats a handful of agents. */
const CACHE = new Map<string, string>()
const CACHED = 10_000

export function userAgentFamily(raw: string): string {
  const known = CACHE.get(raw)
  if (known !== undefined) return known
  const family = familyOf(raw)
  if (CACHE.size >= CACHED) CACHE.clear()
  CACHE.set(raw, family)
  return family
}

function familyOf(raw: string): string {
  const text = raw.trim().slice(0, 512)
  if (text === '') return ''
  if (text.startsWith('Mozilla/')) return 'browser'
  if (text === 'AWS Internal') return 'aws-internal'
  if (text.endsWith('.amazonaws.com'))
    return `aws-service:${text.slice(0, -'.amazonaws.com'.length)}`.slice(0, 64)
  const token = text.replace(/^\[/, '').split(/[\s/,;(]/, 1)[0] ?? ''
  return token.replace(/[\d_-]*\d[\w.-]*$/, '').slice(0, 64) || 'unnamed'
}

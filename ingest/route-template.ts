/// <reference lib="es2024.string" />
/**
 * A path becomes a route: what identifies one thing (numbers, UUIDs, hashes, ULIDs, dates, long mixed strings, e-mail
 * addresses) becomes `{id}`, so that reading another order is not a new action. Linear in the path; cached, because a log
 * repeats its paths.
 */
const CACHE = new Map<string, string>()
const CACHED = 20_000
const MOST_SEGMENTS = 12
const LONGEST = 256
const LONGEST_SEGMENT = 48
const READ = 2048

/**
 * Route template of a path or request target: without query, fragment, matrix parameters, scheme and authority; begins
 * with `/`; at most 12 segments and 256 characters. The template of a template is itself.
 */
export function templatePath(path: string): string {
  const known = CACHE.get(path)
  if (known !== undefined) return known
  // Long paths are hostile or unique: they must not fill the cache.
  if (path.length > LONGEST) return templateOf(path.slice(0, READ))
  // Copied: a path cut out of a line would keep that whole line, of up to 64 MiB, alive for as long as it is cached.
  const own = Buffer.from(path, 'utf16le').toString('utf16le')
  const template = templateOf(own)
  if (CACHE.size >= CACHED) CACHE.clear()
  CACHE.set(own, template)
  return template
}

function templateOf(path: string): string {
  const end = path.search(/[?#]/)
  const segments: string[] = []
  let more = false
  for (const raw of withoutAuthority((end < 0 ? path : path.slice(0, end)).toWellFormed()).split('/')) {
    const segment = templateSegment(raw)
    if (segment === '' || segment === '.') continue
    more = segments.length === MOST_SEGMENTS
    if (more) break
    segments.push(segment)
  }
  if (more) segments[MOST_SEGMENTS - 1] = '…'
  let template = ''
  for (const segment of segments) {
    if (template.length + 1 + segment.length > LONGEST) break
    template += `/${segment}`
  }
  return template === '' ? '/' : template
}

/** Proxies log `GET http://host/path`: the host is the service, not the route. */
function withoutAuthority(target: string): string {
  const scheme = /^[a-z][a-z0-9+.-]{0,15}:\/\//i.exec(target)
  if (scheme === null) return target
  const slash = target.indexOf('/', scheme[0].length)
  return slash < 0 ? '' : target.slice(slash)
}

const UUID = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i
const HEX = /^(?:0x)?[0-9a-f]{8,}$/i
const DATE = /^\d{4}[-_.]\d{1,2}(?:[-_.]\d{1,2})?(?:T[\d:.Z+-]*)?$/
const VERSION = /^v\d{1,3}(?:\.\d{1,3}){0,2}(?:[a-z]+\d{0,3})?$/i
const PARAMETER = /^\{[\w.+*:-]{1,64}\}$/
const CLIMBS = /(?:^|[/\\])\.\.(?:$|[/\\])/
/** Words of routes that by their share of digits would pass for identifiers. */
const WORDS: ReadonlySet<string> = new Set(['s3', 'h2', 'p12', 'x509', 'i18n', 'l10n', 'a11y'])

function templateSegment(raw: string): string {
  const written = decoded(raw)
  const semicolon = written.indexOf(';')
  const segment = semicolon < 0 ? written : written.slice(0, semicolon)
  // Climbing out of a folder stays visible, however it is encoded: as `{id}` it would pass for one more order.
  if (CLIMBS.test(segment)) return '..'
  if (PARAMETER.test(segment) || VERSION.test(segment) || WORDS.has(segment.toLowerCase())) return segment
  return isIdentifier(segment) ? '{id}' : segment
}

/** Percent-decoded once; what does not decode, or would need it again, is no constant part of a route. */
function decoded(segment: string): string {
  if (!segment.includes('%')) return segment
  try {
    const text = decodeURIComponent(segment)
    return text.includes('%') ? '{id}' : text
  } catch {
    return '{id}'
  }
}

function isIdentifier(segment: string): boolean {
  const { length } = segment
  if (length > LONGEST_SEGMENT || segment.includes('@') || /[/?#\p{Cc}]/u.test(segment)) return true
  const { digits, changes, mixedCase } = characterOf(segment)
  if (digits === 0) return length >= 12 && segment.endsWith('=')
  if (UUID.test(segment) || DATE.test(segment) || HEX.test(segment)) return true
  // `i-0abc…`, `order-12345`: mostly digits.
  if (digits / length >= 0.4) return true
  if (length < 16) return false
  // Random text changes between lower case, upper case and digits at two characters of three, camel case at two of five.
  return (digits >= 4 && /[a-z]/i.test(segment)) || (mixedCase && changes / (length - 1) >= 0.5)
}

interface Character {
  readonly digits: number
  /** Neighbours of different class: lower case, upper case, digit, other. */
  readonly changes: number
  readonly mixedCase: boolean
}

function characterOf(text: string): Character {
  let digits = 0
  let lower = 0
  let upper = 0
  let changes = 0
  let before = -1
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    let kind = 0
    if (code >= 48 && code <= 57) {
      kind = 1
      digits++
    } else if (code >= 97 && code <= 122) {
      kind = 2
      lower++
    } else if (code >= 65 && code <= 90) {
      kind = 3
      upper++
    }
    if (before >= 0 && kind !== before) changes++
    before = kind
  }
  return { digits, changes, mixedCase: lower > 0 && upper > 0 }
}

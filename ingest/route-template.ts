/**
 * A path becomes a route: what identifies one thing (numbers, UUIDs, hashes, ULIDs, dates, long mixed strings, e-mail
 * addresses) becomes `{id}`, so that reading another order is not a new action. Linear in the path; cached, because a log
 * repeats its paths.
 */
const CACHE = new Map<string, string>()
const CACHED = 20_000
const MOST_SEGMENTS = 12
const LONGEST = 256
const READ = 2048

/** Route template of a path or request target, without query and fragment; always begins with `/` unless empty. */
export function templatePath(path: string): string {
  const known = CACHE.get(path)
  if (known !== undefined) return known
  const template = templateOf(path.slice(0, READ))
  // Long paths are hostile or unique: they must not fill the cache.
  if (path.length <= LONGEST) {
    if (CACHE.size >= CACHED) CACHE.clear()
    CACHE.set(path, template)
  }
  return template
}

function templateOf(path: string): string {
  const end = path.search(/[?#]/)
  const segments = (end < 0 ? path : path.slice(0, end))
    .split('/')
    .filter((segment) => segment !== '' && segment !== '.')
  const kept = segments.slice(0, MOST_SEGMENTS).map(templateSegment)
  if (segments.length > MOST_SEGMENTS) kept[MOST_SEGMENTS - 1] = '…'
  let template = ''
  for (const segment of kept) {
    if (template.length + 1 + segment.length > LONGEST) break
    template += `/${segment}`
  }
  return template === '' ? '/' : template
}

const UUID = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i
const HEX = /^(?:0x)?[0-9a-f]{8,}$/i
const DATE = /^\d{4}[-_.]\d{1,2}(?:[-_.]\d{1,2})?(?:T[\d:.Z+-]*)?$/
const VERSION = /^v\d{1,3}(?:\.\d{1,3}){0,2}(?:[a-z]+\d{0,3})?$/i

function templateSegment(raw: string): string {
  const segment = decoded(raw)
  if (segment === '' || segment === '{id}' || segment === '…') return segment || '{id}'
  if (/^\{[^{}]{1,64}\}$/.test(segment) || VERSION.test(segment)) return segment
  return isIdentifier(segment) ? '{id}' : segment.slice(0, 64)
}

function isIdentifier(segment: string): boolean {
  if (segment.length > 48 || segment.includes('@')) return true
  const digits = countDigits(segment)
  if (digits === 0) return /\p{Cc}/u.test(segment)
  if (digits === segment.length) return true
  if (UUID.test(segment) || DATE.test(segment) || (HEX.test(segment) && digits >= 2)) return true
  // `i-0abc…`, `order-12345`, base64: mostly digits, or long and mixed.
  if (digits / segment.length >= 0.4) return true
  return segment.length >= 16 && digits >= 4 && /[a-z]/i.test(segment)
}

function countDigits(text: string): number {
  let digits = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code >= 48 && code <= 57) digits++
  }
  return digits
}

/** Percent-decoding that never throws and never brings a slash, a query or a dot segment back. */
function decoded(segment: string): string {
  if (!segment.includes('%')) return segment
  try {
    const text = decodeURIComponent(segment)
    return /[/?#\p{Cc}]/u.test(text) || text === '.' || text === '..' ? '{id}' : text
  } catch {
    return '{id}'
  }
}

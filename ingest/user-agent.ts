/// <reference lib="es2024.string" />
/** The software behind a user agent, without versions. Cached: a log repeats a handful of agents. */
const CACHE = new Map<string, string>()
const CACHED = 10_000
/** The longest agent that an Activity keeps; longer ones are not remembered, so that they cannot fill the memory. */
const LONGEST_AGENT = 512
const LONGEST = 64

/**
 * `aws-cli`, `boto3`, `kubectl`, `browser`, `aws-service:<name>`: the first product of the agent, without what changes from
 * build to build (versions, numbers, hashes). '' for an empty agent, `unnamed` when nothing else is left; at most 64
 * characters. Chosen by the caller: a hint about software, never proof of it.
 */
export function userAgentFamily(raw: string): string {
  const known = CACHE.get(raw)
  if (known !== undefined) return known
  if (raw.length > LONGEST_AGENT) return familyOf(raw.slice(0, LONGEST_AGENT))
  // Copied: an agent cut out of a line would keep that whole line, of up to 64 MiB, alive for as long as it is cached.
  const own = Buffer.from(raw, 'utf16le').toString('utf16le')
  const family = familyOf(own)
  if (CACHE.size >= CACHED) CACHE.clear()
  CACHE.set(own, family)
  return family
}

function familyOf(raw: string): string {
  const text = raw.trim().toWellFormed()
  if (text === '') return ''
  if (text === 'AWS Internal') return 'aws-internal'
  const service = SERVICE.exec(text)?.[1]
  if (service !== undefined) return `aws-service:${service}`.slice(0, LONGEST)
  if (text.startsWith('Mozilla/') || text.startsWith('Opera/')) return behindMozilla(text)
  return familyOfProduct(productOf(text))
}

const SERVICE = /^([a-z0-9][a-z0-9.-]{0,252})\.amazonaws\.com(?:\.cn)?$/
/** Who ships the product, named before it: `APN/1.0 HashiCorp/1.0 Terraform/1.9.5`. */
const VENDORS: ReadonlySet<string> = new Set(['APN', 'HashiCorp'])
/** One software, spelt in several ways by its own releases. */
const SPELLINGS: ReadonlyMap<string, string> = new Map([
  ['Boto3', 'boto3'],
  ['Botocore', 'botocore'],
  ['Terraform', 'terraform'],
  ['kubectl.exe', 'kubectl'],
])

/** Robots say `compatible; Name/1.0`, PowerShell says its name at the end: neither is a person with a browser. */
function behindMozilla(text: string): string {
  if (text.includes('PowerShell/')) return 'PowerShell'
  const robot = /\(compatible; ?([^\s/;)]{1,64})/.exec(text)?.[1]
  return robot === undefined || robot === 'MSIE' ? 'browser' : familyOfProduct(robot)
}

/** The first product that is not a vendor. */
function productOf(text: string): string {
  let first = ''
  for (const word of text.replace(/^\[/, '').split(/[\s\p{Cc},;()]+/u, 4)) {
    const product = word.split('/', 1)[0] ?? ''
    if (first === '') first = product
    if (product !== '' && !VENDORS.has(product)) return product
  }
  return first
}

function familyOfProduct(product: string): string {
  const name = SPELLINGS.get(product) ?? withoutIds(product)
  // Cutting may split a surrogate pair, which no store can write.
  return name.slice(0, LONGEST).toWellFormed() || 'unnamed'
}

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi

/** The words of a product up to the first one that a build or an instance chose: `worker-7f9c8d6b5-xk4bz` → `worker`. */
function withoutIds(product: string): string {
  let name = ''
  let separator = ''
  // A UUID goes whole: some of its parts are words by themselves.
  for (const part of product.replace(UUID, '0').split(/([-_.+:@#=]+)/)) {
    if (/^[-_.+:@#=]/.test(part)) {
      separator = part
      continue
    }
    if (isId(part, name === '')) {
      if (name !== '') break
      continue
    }
    if (part === '') continue
    // A single digit may belong to a name (`boto3`, `oauth2`); more of them count something.
    name += (name === '' ? '' : separator) + part.replace(/\d{2,}$/, '')
  }
  return name
}

function isId(part: string, first: boolean): boolean {
  if (!/\d/.test(part)) return false
  if (/^v?\d/i.test(part)) return true
  if (part.length >= 8 && /^[0-9a-f]+$/i.test(part)) return true
  // Suffixes of pods and builds have no vowels (Kubernetes leaves them out, to write no words).
  if (!first && part.length >= 5 && !/[aeiou]/i.test(part)) return true
  return letterDigitChanges(part) > 2
}

/** `s3cmd` and `k8s` change twice between letters and digits, random text more often. */
function letterDigitChanges(part: string): number {
  let changes = 0
  let before: boolean | undefined
  for (let at = 0; at < part.length; at++) {
    const code = part.charCodeAt(at)
    const digit = code >= 48 && code <= 57
    if (before !== undefined && digit !== before) changes++
    before = digit
  }
  return changes
}

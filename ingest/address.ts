/**
 * Addresses as logs write them, in one canonical form: IPv4 as dotted decimal, IPv6 as RFC 5952 says. The address is a
 * value of a baseline, so two spellings of one address must never become two values, nor one spelling two addresses.
 *
 * Read by hand, character by character: linear on hostile text, and no garbage per event.
 */

/** An IPv4 address (its value in `w0`, the rest 0), or an IPv6 address as four big-endian words. Words are unsigned. */
export interface Address {
  readonly family: 4 | 6
  readonly w0: number
  readonly w1: number
  readonly w2: number
  readonly w3: number
}

/** A block in CIDR terms: the address has no bits set beyond `length`. */
export interface Block {
  readonly address: Address
  readonly length: number
}

/** Longest text that can be an address: 45 characters, brackets, a port, and a zone of 255 characters at most. */
const LONGEST = 320

const DOT = 46
const COLON = 58
const PERCENT = 37

const v4 = (value: number): Address => ({ family: 4, w0: value, w1: 0, w2: 0, w3: 0 })
const v6 = (w0: number, w1: number, w2: number, w3: number): Address => ({ family: 6, w0, w1, w2, w3 })

/**
 * The bare address, without port, brackets or zone; undefined when it is none. IPv4-mapped IPv6 (`::ffff:10.0.0.1`) is
 * the IPv4 address, because a dual-stack server writes the same client either way. Octets with leading zeros are
 * refused: `010.0.0.1` is 8.0.0.1 to some programs and 10.0.0.1 to others.
 */
export function parseAddress(text: string): Address | undefined {
  return text.length > LONGEST ? undefined : parseBetween(text, 0, text.length)
}

/** As `parseAddress`, but spaces around, a port, brackets and a zone id are taken off: `[fe80::1%eth0]:443`, `10.0.0.1:80`. */
export function addressIn(raw: string): Address | undefined {
  if (raw.length > LONGEST) return undefined
  const text = raw.trim()
  if (text.charCodeAt(0) === 91) {
    const close = text.indexOf(']')
    if (close < 0 || !(close === text.length - 1 || isPort(text, close + 1))) return undefined
    return parseBetween(text, 1, beforeZone(text, close))
  }
  const colon = text.indexOf(':')
  if (colon < 0) return parseBetween(text, 0, text.length)
  // One colon only: IPv4 with a port. More: IPv6, which without brackets can carry no port.
  if (text.indexOf(':', colon + 1) < 0) return isPort(text, colon) ? ipv4(text, 0, colon) : undefined
  return parseBetween(text, 0, beforeZone(text, text.length))
}

/** Canonical text: reading it back gives the same address. */
export function formatAddress(address: Address): string {
  const { w0, w1, w2, w3 } = address
  if (address.family === 4) return `${w0 >>> 24}.${(w0 >>> 16) & 255}.${(w0 >>> 8) & 255}.${w0 & 255}`
  const groups = [
    w0 >>> 16,
    w0 & 0xffff,
    w1 >>> 16,
    w1 & 0xffff,
    w2 >>> 16,
    w2 & 0xffff,
    w3 >>> 16,
    w3 & 0xffff,
  ]
  // RFC 5952 §4.2: the longest run of two or more zero groups becomes `::`, the first one of equals.
  let start = -1
  let longest = 1
  for (let index = 0; index < 8; index++) {
    let end = index
    while (end < 8 && groups[end] === 0) end++
    if (end - index > longest) {
      start = index
      longest = end - index
    }
    if (end > index) index = end
  }
  const hex = (from: number, to: number): string =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':')
  return start < 0 ? hex(0, 8) : `${hex(0, start)}::${hex(start + longest, 8)}`
}

/** The neighbourhood of the address in CIDR form: its IPv4 /24, or its IPv6 /48 (what one site is given). */
export function prefixOf(address: Address): string {
  const length = address.family === 4 ? 24 : 48
  return `${formatAddress(truncate(address, length))}/${length}`
}

/** The address with all bits beyond the first `length` cleared. */
export function truncate(address: Address, length: number): Address {
  if (address.family === 4) return v4((address.w0 & mask(length)) >>> 0)
  return v6(
    (address.w0 & mask(length)) >>> 0,
    (address.w1 & mask(length - 32)) >>> 0,
    (address.w2 & mask(length - 64)) >>> 0,
    (address.w3 & mask(length - 96)) >>> 0,
  )
}

/** Is the address within the block? Never across families. */
export function contains(block: Block, address: Address): boolean {
  if (block.address.family !== address.family) return false
  const start = truncate(address, block.length)
  const { w0, w1, w2, w3 } = block.address
  return start.w0 === w0 && start.w1 === w1 && start.w2 === w2 && start.w3 === w3
}

/** `10.0.0.0/8`, `2001:db8::/32`. Bits beyond the length are cleared; undefined when it is no block. */
export function parseBlock(text: string): Block | undefined {
  const slash = text.indexOf('/')
  const address = slash < 0 ? undefined : parseAddress(text.slice(0, slash))
  const digits = text.slice(slash + 1)
  if (address === undefined || !/^\d{1,3}$/.test(digits)) return undefined
  const length = Number(digits)
  if (length > (address.family === 4 ? 32 : 128)) return undefined
  return { address: truncate(address, length), length }
}

/**
 * The block of private, shared or link-local space that holds the address (`10.0.0.0/8`), '' for all other addresses.
 * Documentation blocks (192.0.2.0/24, 2001:db8::/32, …) are not private: see `isDocumentation`.
 */
export function privateBlockOf(address: Address): string {
  if (address.family === 6) {
    for (const [block, name] of PRIVATE_V6) if (contains(block, address)) return name
    return ''
  }
  switch (address.w0 >>> 24) {
    case 10:
      return '10.0.0.0/8'
    case 172:
      return ((address.w0 >>> 16) & 0xf0) === 16 ? '172.16.0.0/12' : ''
    case 192:
      return ((address.w0 >>> 16) & 255) === 168 ? '192.168.0.0/16' : ''
    case 100:
      return ((address.w0 >>> 16) & 0xc0) === 64 ? '100.64.0.0/10' : '' // RFC 6598, also pods and carrier NAT
    case 127:
      return '127.0.0.0/8'
    case 169:
      return ((address.w0 >>> 16) & 255) === 254 ? '169.254.0.0/16' : ''
    case 198:
      return ((address.w0 >>> 16) & 0xfe) === 18 ? '198.18.0.0/15' : '' // RFC 2544, used inside networks
    case 0:
      return '0.0.0.0/8'
    default:
      return ''
  }
}

/**
 * Is the address of a block reserved for examples (RFC 5737, 3849, 9637)? Registries list those under the country of the
 * office that keeps them, which is the place of nobody.
 */
export function isDocumentation(address: Address): boolean {
  return DOCUMENTATION.some((block) => contains(block, address))
}

const DOCUMENTATION: readonly Block[] = [
  { address: v4(0xc0000200), length: 24 },
  { address: v4(0xc6336400), length: 24 },
  { address: v4(0xcb007100), length: 24 },
  { address: v6(0x20010db8, 0, 0, 0), length: 32 },
  { address: v6(0x3fff0000, 0, 0, 0), length: 20 },
]

/** Loopback and unspecified, ULA (RFC 4193), link-local (RFC 4291), site-local (deprecated, still seen). */
const PRIVATE_V6: readonly (readonly [Block, string])[] = (
  [
    [0, 0, 0, 1, 128, '::1/128'],
    [0, 0, 0, 0, 128, '::/128'],
    [0xfc000000, 0, 0, 0, 7, 'fc00::/7'],
    [0xfe800000, 0, 0, 0, 10, 'fe80::/10'],
    [0xfec00000, 0, 0, 0, 10, 'fec0::/10'],
  ] as const
).map(([w0, w1, w2, w3, length, name]) => [{ address: v6(w0, w1, w2, w3), length }, name])

/** Bit mask of the first `length` bits of a word; shifts of 32 and more would wrap around. */
function mask(length: number): number {
  return length <= 0 ? 0 : length >= 32 ? -1 : -1 << (32 - length)
}

/** `:` and one to five digits from `at` to the end. */
function isPort(text: string, at: number): boolean {
  const digits = text.length - at - 1
  if (text.charCodeAt(at) !== COLON || digits < 1 || digits > 5) return false
  for (let index = at + 1; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code < 48 || code > 57) return false
  }
  return true
}

/** Where the zone id (`%eth0`) starts, or `end`. A zone says which of *our* interfaces: it is no part of who called. */
function beforeZone(text: string, end: number): number {
  for (let index = 0; index < end - 1; index++) if (text.charCodeAt(index) === PERCENT) return index
  return end
}

function parseBetween(text: string, start: number, end: number): Address | undefined {
  for (let index = start; index < end && index < start + 5; index++) {
    const code = text.charCodeAt(index)
    if (code === COLON) return ipv6(text, start, end)
    if (code === DOT) return ipv4(text, start, end)
  }
  return undefined
}

function ipv4(text: string, start: number, end: number): Address | undefined {
  const value = ipv4Value(text, start, end)
  return value < 0 ? undefined : v4(value)
}

/** The 32-bit value, or -1. */
function ipv4Value(text: string, start: number, end: number): number {
  if (end - start < 7 || end - start > 15) return -1
  let value = 0
  let octet = -1
  let octets = 0
  for (let index = start; index < end; index++) {
    const code = text.charCodeAt(index)
    if (code === DOT) {
      if (octet < 0 || ++octets > 3) return -1
      value = value * 256 + octet
      octet = -1
    } else if (code >= 48 && code <= 57 && octet !== 0) {
      octet = (octet < 0 ? 0 : octet * 10) + code - 48
      if (octet > 255) return -1
    } else return -1
  }
  return octets === 3 && octet >= 0 ? value * 256 + octet : -1
}

/** Scratch for the groups of the address being read: reading is synchronous and does not nest. */
const groups = new Uint16Array(8)

function ipv6(text: string, start: number, end: number): Address | undefined {
  let count = 0
  let gap = -1
  let at = start
  if (text.charCodeAt(at) === COLON) {
    if (text.charCodeAt(at + 1) !== COLON || end - at < 2) return undefined
    gap = 0
    at += 2
  }
  while (at < end) {
    if (count === 8) return undefined
    let group = 0
    let next = at
    for (; next < end; next++) {
      const digit = hexDigit(text.charCodeAt(next))
      if (digit < 0) break
      if (next - at === 4) return undefined
      group = group * 16 + digit
    }
    if (next < end && text.charCodeAt(next) === DOT) {
      const tail = count > 6 ? -1 : ipv4Value(text, at, end)
      if (tail < 0) return undefined
      groups[count++] = tail >>> 16
      groups[count++] = tail & 0xffff
      break
    }
    if (next === at) return undefined
    groups[count++] = group
    if (next === end) break
    if (text.charCodeAt(next) !== COLON || next + 1 === end) return undefined
    at = next + 1
    if (text.charCodeAt(at) === COLON) {
      if (gap >= 0) return undefined
      gap = count
      at++
    }
  }
  if (gap < 0 ? count !== 8 : count === 8) return undefined
  if (gap >= 0) {
    groups.copyWithin(gap + 8 - count, gap, count)
    groups.fill(0, gap, gap + 8 - count)
  }
  const w0 = word(0)
  const w1 = word(2)
  const w2 = word(4)
  const w3 = word(6)
  return w0 === 0 && w1 === 0 && w2 === 0xffff ? v4(w3) : v6(w0, w1, w2, w3)
}

function word(index: number): number {
  return (groups[index] ?? 0) * 0x10000 + (groups[index + 1] ?? 0)
}

/** 0 to 15, or -1. */
function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48
  const lower = code | 32
  return lower >= 97 && lower <= 102 ? lower - 87 : -1
}

import { readFile } from 'node:fs/promises'
import { type Address, parseAddress } from './address.ts'
import { GeographyError } from './geography-error.ts'

/**
 * Who announces an address: a table of ranges, each with the number and the organisation of an autonomous system,
 * searched by bisection. Half a million ranges are held as typed arrays (about 14 MB), not as objects (over 100 MB).
 */
export interface AutonomousSystem {
  readonly asn: number
  /** Name of the organisation as the table has it; '' when it names none. */
  readonly organisation: string
}

export interface AsnTable {
  /** Number of ranges, IPv4 and IPv6 together. */
  readonly ranges: number
  /** The system that announces the address; undefined when none does. */
  readonly find: (address: Address) => AutonomousSystem | undefined
}

/** The rows of one family in order of their start; of rows that overlap, the one that starts last wins. */
interface Columns {
  /** Words per address: 1 for IPv4, 4 for IPv6. Most significant first, `width` per row. */
  readonly width: 1 | 4
  starts: Uint32Array
  ends: Uint32Array
  asns: Uint32Array
  /** Offset of the organisation's name in the names. */
  names: Uint32Array
  rows: number
}

/** Names of all organisations, each once: two bytes of length, then UTF-8. Decoded at look-up, of which few are uncached. */
interface Names {
  bytes: Buffer
  used: number
  readonly byAsn: Map<number, number>
}

const NEWLINE = 10
const RETURN = 13
const QUOTE = 34
const COMMA = 44

/**
 * Reads the CSV files of `@ip-location-db/asn`: rows of `first,last,number,organisation`, without a header; addresses as
 * numbers or text for IPv4, as text for IPv6. Throws `GeographyError` (`unreadable`, `not-asn-table`).
 */
export async function loadAsnTable(files: {
  readonly ipv4: string
  readonly ipv6: string
}): Promise<AsnTable> {
  const [four, six] = await Promise.all([read(files.ipv4), read(files.ipv6)])
  const names: Names = { bytes: Buffer.allocUnsafe(1 << 20), used: 0, byAsn: new Map() }
  const ipv4 = parse(four, 1, names, files.ipv4)
  const ipv6 = parse(six, 4, names, files.ipv6)
  const bytes = Buffer.from(names.bytes.subarray(0, names.used))
  return {
    ranges: ipv4.rows + ipv6.rows,
    find(address) {
      const columns = address.family === 4 ? ipv4 : ipv6
      const row = lastStartingBefore(columns, address)
      if (row < 0 || isPast(columns, row, address)) return undefined
      const at = columns.names[row] ?? 0
      const end = at + 2 + bytes.readUInt16LE(at)
      return { asn: columns.asns[row] ?? 0, organisation: bytes.toString('utf8', at + 2, end) }
    },
  }
}

async function read(path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (error) {
    throw new GeographyError('unreadable', path, 'cannot be read', error)
  }
}

/** Index of the last row whose start is not above the address, or -1. */
function lastStartingBefore(columns: Columns, address: Address): number {
  const { starts, width } = columns
  let low = 0
  let high = columns.rows
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compare(starts, middle * width, width, address) <= 0) low = middle + 1
    else high = middle
  }
  return low - 1
}

function isPast(columns: Columns, row: number, address: Address): boolean {
  return compare(columns.ends, row * columns.width, columns.width, address) < 0
}

/** Sign of (the address stored at `at`) − (the address). */
function compare(words: Uint32Array, at: number, width: 1 | 4, address: Address): number {
  const first = (words[at] ?? 0) - address.w0
  if (first !== 0 || width === 1) return first
  const second = (words[at + 1] ?? 0) - address.w1
  if (second !== 0) return second
  const third = (words[at + 2] ?? 0) - address.w2
  return third !== 0 ? third : (words[at + 3] ?? 0) - address.w3
}

function parse(csv: Buffer, width: 1 | 4, names: Names, path: string): Columns {
  // Rows are at least 30 bytes in practice; the columns grow where a file has shorter ones.
  const guess = Math.ceil(csv.length / 30) + 1
  const columns: Columns = {
    width,
    starts: new Uint32Array(guess * width),
    ends: new Uint32Array(guess * width),
    asns: new Uint32Array(guess),
    names: new Uint32Array(guess),
    rows: 0,
  }
  let ordered = true
  let at = 0
  while (at < csv.length) {
    if (csv[at] === NEWLINE || csv[at] === RETURN) {
      at++
      continue
    }
    const row = columns.rows
    if (row === columns.asns.length) resize(columns, row * 2)
    const first = csv.indexOf(COMMA, at)
    const second = first < 0 ? -1 : csv.indexOf(COMMA, first + 1)
    const third = second < 0 ? -1 : csv.indexOf(COMMA, second + 1)
    const newline = csv.indexOf(NEWLINE, at)
    const end = newline < 0 ? csv.length : newline
    const asn = third < 0 || third > end ? -1 : decimal(csv, second + 1, third)
    if (
      asn < 0 ||
      !store(columns.starts, row * width, width, csv, at, first) ||
      !store(columns.ends, row * width, width, csv, first + 1, second)
    ) {
      throw new GeographyError('not-asn-table', path, `row ${row + 1} is not first,last,number,organisation`)
    }
    columns.asns[row] = asn
    columns.names[row] = names.byAsn.get(asn) ?? addName(names, asn, csv, third + 1, end)
    if (ordered && row > 0 && isBelow(columns.starts, row * width, width)) ordered = false
    columns.rows++
    at = end + 1
  }
  if (columns.rows === 0) throw new GeographyError('not-asn-table', path, 'has no rows')
  resize(columns, columns.rows)
  return ordered ? columns : sorted(columns)
}

/** Is the start at `at` below the one before it? */
function isBelow(starts: Uint32Array, at: number, width: 1 | 4): boolean {
  for (let word = 0; word < width; word++) {
    const step = (starts[at + word] ?? 0) - (starts[at + word - width] ?? 0)
    if (step !== 0) return step < 0
  }
  return false
}

function resize(columns: Columns, rows: number): void {
  columns.starts = resized(columns.starts, rows * columns.width)
  columns.ends = resized(columns.ends, rows * columns.width)
  columns.asns = resized(columns.asns, rows)
  columns.names = resized(columns.names, rows)
}

function resized(words: Uint32Array, length: number): Uint32Array {
  if (length <= words.length) return words.slice(0, length)
  const larger = new Uint32Array(length)
  larger.set(words)
  return larger
}

/** Bisection needs order; the published files have it, an operator's own need not. */
function sorted(columns: Columns): Columns {
  const { starts, width, rows } = columns
  const order = Array.from({ length: rows }, (_, row) => row).sort((a, b) => {
    for (let word = 0; word < width; word++) {
      const step = (starts[a * width + word] ?? 0) - (starts[b * width + word] ?? 0)
      if (step !== 0) return step
    }
    return a - b
  })
  const pick = (from: Uint32Array, size: number): Uint32Array => {
    const into = new Uint32Array(rows * size)
    order.forEach((row, index) => {
      into.set(from.subarray(row * size, (row + 1) * size), index * size)
    })
    return into
  }
  return {
    width,
    rows,
    starts: pick(starts, width),
    ends: pick(columns.ends, width),
    asns: pick(columns.asns, 1),
    names: pick(columns.names, 1),
  }
}

/** Stores the address written between `from` and `to`; false when it is none of the family. */
function store(into: Uint32Array, at: number, width: 1 | 4, csv: Buffer, from: number, to: number): boolean {
  if (width === 1) {
    const number = decimal(csv, from, to)
    if (number >= 0) {
      into[at] = number
      return true
    }
  }
  const address = to - from > 45 ? undefined : parseAddress(csv.toString('latin1', from, to))
  if (address === undefined || address.family !== (width === 1 ? 4 : 6)) return false
  into[at] = address.w0
  if (width === 4) {
    into[at + 1] = address.w1
    into[at + 2] = address.w2
    into[at + 3] = address.w3
  }
  return true
}

/** The unsigned 32-bit number written between `from` and `to`, or -1. */
function decimal(csv: Buffer, from: number, to: number): number {
  if (to <= from || to - from > 10) return -1
  let value = 0
  for (let index = from; index < to; index++) {
    const digit = (csv[index] ?? 0) - 48
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
  }
  return value <= 0xffff_ffff ? value : -1
}

/** Appends the name in the CSV field `from` to `to` (quoted when it holds commas or quotes) and returns its offset. */
function addName(names: Names, asn: number, csv: Buffer, from: number, to: number): number {
  let end = to
  if (end > from && csv[end - 1] === RETURN) end--
  let field = csv.toString('utf8', from, end)
  if (field.charCodeAt(0) === QUOTE)
    field = field.slice(1, field.endsWith('"') ? -1 : undefined).replaceAll('""', '"')
  const name = Buffer.from(organisationName(field), 'utf8')
  if (names.used + 2 + name.length > names.bytes.length) {
    names.bytes = Buffer.concat([names.bytes, Buffer.allocUnsafe(names.bytes.length)])
  }
  const at = names.used
  names.bytes.writeUInt16LE(name.length, at)
  name.copy(names.bytes, at + 2)
  names.used += name.length + 2
  names.byAsn.set(asn, at)
  return at
}

/**
 * Name of an organisation without what differs between its systems or spellings: a leading `AS16509 `, invisible and
 * repeated blanks. At most 128 characters.
 */
export function organisationName(text: string): string {
  return text
    .slice(0, 128)
    .replace(/^AS\d{1,10}\s+/, '')
    .replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, '')
    .replace(/\s+/g, ' ')
    .trim()
}

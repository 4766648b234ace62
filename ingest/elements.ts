/**
 * Byte positions inside JSON text: where exactly did element 7 of `Records` stand? Needed only when a record turns out dead
 * and its original bytes are wanted, and to save the whole elements of a document that was cut. So nothing here is on the
 * hot path, but everything is linear and iterative, because the input is hostile and may be deep.
 *
 * The scanner trusts brackets and strings only. On text that JSON.parse accepts it is exact; on any other it ends early.
 */

const QUOTE = 34
const COMMA = 44
const COLON = 58
const OPEN_ARRAY = 91
const BACKSLASH = 92
const CLOSE_ARRAY = 93
const OPEN_OBJECT = 123
const CLOSE_OBJECT = 125

/**
 * Elements of the lists of one line or document, all together. Each becomes a record of hundreds of bytes though two bytes
 * are enough to write it, and a few kilobytes of base64 and gzip for millions; the largest real files hold a hundred
 * thousand.
 */
export const MAX_ELEMENTS = 250_000

/** `[start, end)` in bytes. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** Ranges of the elements of an array: start and end of element i at 2i and 2i + 1. */
export type ElementRanges = readonly number[]

/**
 * Ranges of the elements of the array that starts at `range.start` (white space allowed before it). Elements that are cut
 * by the end of the range are left out, and so are those beyond `MAX_ELEMENTS`; empty when it is not an array.
 */
export function elementRanges(bytes: Buffer, range: ByteRange): ElementRanges {
  const ranges: number[] = []
  const limit = Math.min(range.end, bytes.length)
  let at = skipSpace(bytes, range.start, limit)
  if (bytes[at] !== OPEN_ARRAY) return ranges
  at = skipSpace(bytes, at + 1, limit)
  while (at < limit && bytes[at] !== CLOSE_ARRAY && ranges.length < 2 * MAX_ELEMENTS) {
    const end = skipValue(bytes, at, limit)
    if (end < 0) return ranges
    ranges.push(at, end)
    at = skipSpace(bytes, end, limit)
    if (bytes[at] === COMMA) at = skipSpace(bytes, at + 1, limit)
    else if (bytes[at] !== CLOSE_ARRAY) return ranges
  }
  return ranges
}

/**
 * Range of the value of member `key` in the object that starts at `range.start`; of several members of that name the last,
 * as JSON.parse has it. With `cut`, a value that the end of the range cuts is given too, up to that end.
 */
export function memberRange(
  bytes: Buffer,
  range: ByteRange,
  key: string,
  options: { readonly cut: boolean } = { cut: false },
): ByteRange | undefined {
  const limit = Math.min(range.end, bytes.length)
  let found: ByteRange | undefined
  let at = skipSpace(bytes, range.start, limit)
  if (bytes[at] !== OPEN_OBJECT) return undefined
  at = skipSpace(bytes, at + 1, limit)
  while (at < limit && bytes[at] === QUOTE) {
    const keyEnd = skipString(bytes, at, limit)
    if (keyEnd < 0) return found
    const matches = keyEquals(bytes, at, keyEnd, key)
    at = skipSpace(bytes, keyEnd, limit)
    if (bytes[at] !== COLON) return found
    at = skipSpace(bytes, at + 1, limit)
    const end = skipValue(bytes, at, limit)
    if (end < 0) return matches && options.cut && at < limit ? { start: at, end: limit } : found
    if (matches) found = { start: at, end }
    at = skipSpace(bytes, end, limit)
    if (bytes[at] !== COMMA) return found
    at = skipSpace(bytes, at + 1, limit)
  }
  return found
}

function keyEquals(bytes: Buffer, start: number, end: number, key: string): boolean {
  const text = bytes.toString('utf8', start + 1, end - 1)
  if (text === key) return true
  if (!text.includes('\\')) return false
  try {
    return JSON.parse(`"${text}"`) === key
  } catch {
    return false
  }
}

function skipSpace(bytes: Buffer, from: number, limit: number): number {
  let at = from
  while (at < limit) {
    const byte = bytes[at]
    if (byte !== 32 && byte !== 10 && byte !== 13 && byte !== 9) break
    at++
  }
  return at
}

/** End of the string whose opening quote is at `from`, or -1. */
function skipString(bytes: Buffer, from: number, limit: number): number {
  let at = from + 1
  while (at < limit) {
    const byte = bytes[at]
    if (byte === BACKSLASH) at += 2
    else if (byte === QUOTE) return at + 1
    else at++
  }
  return -1
}

/** End of the value at `from`, or -1 when it is cut. Depth is a counter: ten million levels cost no stack. */
function skipValue(bytes: Buffer, from: number, limit: number): number {
  let at = from
  let depth = 0
  while (at < limit) {
    const byte = bytes[at]
    if (byte === QUOTE) {
      at = skipString(bytes, at, limit)
      if (at < 0) return -1
      if (depth === 0) return at
    } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      depth++
      at++
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
      if (depth === 0) return at > from ? at : -1
      depth--
      at++
      if (depth === 0) return at
    } else if (depth === 0) {
      return skipScalar(bytes, at, limit)
    } else {
      at++
    }
  }
  return -1
}

/** End of a number, `true`, `false` or `null`; -1 when only the end of the range ends it, because `12` may be half of `123`. */
function skipScalar(bytes: Buffer, from: number, limit: number): number {
  let at = from
  while (at < limit) {
    const byte = bytes[at] ?? 0
    if (byte === COMMA || byte === CLOSE_ARRAY || byte === CLOSE_OBJECT || byte <= 32)
      return at > from ? at : -1
    at++
  }
  return -1
}

/**
 * Where a value stood: in the bytes of a line or document (`root`), as a member or an element of another place, or inside a
 * string that holds a text of its own (`payload`). A chain, resolved to bytes only on demand.
 */
export type Place =
  | { readonly kind: 'root'; readonly bytes: Buffer }
  | { readonly kind: 'member'; readonly parent: Place; readonly key: string }
  | { readonly kind: 'element'; readonly list: ElementList; readonly index: number }
  | { readonly kind: 'payload'; readonly parent: Place; readonly payload: string }

/** The array that elements stand in. Scanned once, however many of its elements are asked for. */
export class ElementList {
  readonly place: Place
  private source: Buffer | undefined
  private ranges: ElementRanges = []

  constructor(place: Place) {
    this.place = place
  }

  /** Original bytes of element `index`; of the whole list's place when the scanner did not find it. */
  slice(index: number): Buffer {
    if (this.source === undefined) {
      this.source = bytesOf(this.place)
      this.ranges = elementRanges(this.source, { start: 0, end: this.source.length })
    }
    const start = this.ranges[2 * index]
    const end = this.ranges[2 * index + 1]
    if (start === undefined || end === undefined) return this.source
    return this.source.subarray(start, end)
  }
}

/** The exact bytes of a place. A lone surrogate of a string in between has no UTF-8 form and becomes U+FFFD. */
export function bytesOf(place: Place): Buffer {
  switch (place.kind) {
    case 'root':
      return place.bytes
    case 'member': {
      const parent = bytesOf(place.parent)
      const range = memberRange(parent, { start: 0, end: parent.length }, place.key)
      return range === undefined ? parent : parent.subarray(range.start, range.end)
    }
    case 'element':
      return place.list.slice(place.index)
    case 'payload':
      return Buffer.from(place.payload)
  }
}

/**
 * The smallest thing around a place that can be read again by itself: an element of a list, or the whole line. A wrapper
 * around one record belongs to the record, because its other fields may matter to whoever reads the dead letter.
 */
export function recordBytes(place: Place): Buffer {
  let at = place
  while (at.kind === 'member' || at.kind === 'payload') at = at.parent
  return bytesOf(at)
}

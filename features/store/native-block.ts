import { ByteSink } from './byte-sink.ts'

/**
 * Blocks of ClickHouse's Native format: column after column, as the engine itself keeps them, so that it has nothing to parse.
 * (Parsing text was most of the cost of an insert: limits.md §2.)
 *
 *     block  = VarUInt columns, VarUInt rows, column …
 *     column = String name, String type, prefix of the type, values
 *     String = VarUInt length, bytes            Array(T) = UInt64 end of each row's items, items as T
 *     Map(K, V) = as Array(Tuple(K, V)): ends, keys, values
 *     LowCardinality(String): prefix UInt64 version 1; then UInt64 kind of the positions and flags, UInt64 number of words,
 *       words as String, UInt64 rows, a position for each row. Nothing at all for no rows.
 *
 * A number must fit its column: what does not is cut to its lower bits without a word.
 */
export class NativeBlock<R> {
  readonly #columns: readonly { readonly header: Buffer; readonly values: Values<R> }[]
  readonly names: readonly string[]
  #rows = 0

  constructor(columns: readonly Column<R>[]) {
    this.names = columns.map(({ name }) => name)
    this.#columns = columns.map(({ name, type, values }) => {
      const header = new ByteSink()
      header.text(name)
      header.text(type)
      return { header: header.written(), values: values() }
    })
  }

  get rows(): number {
    return this.#rows
  }

  /** Adds `rows[from]` to `rows[to - 1]`; the first of them has the number `seq`, the others the following ones. */
  append(rows: readonly R[], from: number, to: number, seq: number): void {
    for (const { values } of this.#columns) values.add(rows, from, to, seq)
    this.#rows += to - from
  }

  /** The bytes, in order. They are the block's own until `clear`. */
  chunks(): readonly Buffer[] {
    const head = new ByteSink()
    head.varint(this.#columns.length)
    head.varint(this.#rows)
    const chunks = [head.written()]
    for (const { header, values } of this.#columns) {
      chunks.push(header)
      values.write((chunk) => {
        if (chunk.length > 0) chunks.push(chunk)
      })
    }
    return chunks
  }

  clear(): void {
    this.#rows = 0
    for (const { values } of this.#columns) values.clear()
  }
}

/** A column of rows `R`, and where its values come from: a row, and the number it was given. */
export interface Column<R> {
  readonly name: string
  readonly type: string
  readonly values: () => Values<R>
}
type From<R, T> = (row: R, seq: number) => T

/** The values of one column, while a block is being made. */
interface Values<R> {
  add(rows: readonly R[], from: number, to: number, seq: number): void
  write(give: (chunk: Buffer) => void): void
  clear(): void
}

const LOW_CARDINALITY = 'LowCardinality(String)'

export const text = <R>(name: string, from: From<R, string>): Column<R> => ({
  name,
  type: 'String',
  values: () => eachRow(new ByteSink(), from, (sink, value) => sink.text(value)),
})
export const uint8 = <R>(name: string, from: From<R, number>): Column<R> => ({
  name,
  type: 'UInt8',
  values: () => eachRow(new ByteSink(), from, (sink, value) => sink.uint8(value)),
})
export const uint32 = <R>(name: string, from: From<R, number>): Column<R> => ({
  name,
  type: 'UInt32',
  values: () => eachRow(new ByteSink(), from, (sink, value) => sink.int32(value)),
})
export const int32 = <R>(name: string, from: From<R, number>): Column<R> => ({
  name,
  type: 'Int32',
  values: () => eachRow(new ByteSink(), from, (sink, value) => sink.int32(value)),
})
export const uint64 = <R>(name: string, from: From<R, number>): Column<R> => ({
  name,
  type: 'UInt64',
  values: () => eachRow(new ByteSink(), from, (sink, value) => sink.int64(value)),
})
export const int64 = <R>(name: string, from: From<R, number>): Column<R> => ({
  name,
  type: 'Int64',
  values: () => eachRow(new ByteSink(), from, (sink, value) => sink.int64(value)),
})
export const float64 = <R>(name: string, from: From<R, number>): Column<R> => ({
  name,
  type: 'Float64',
  values: () => eachRow(new ByteSink(), from, (sink, value) => sink.float64(value)),
})
/** Words that repeat. */
export const word = <R>(name: string, from: From<R, string>): Column<R> => ({
  name,
  type: LOW_CARDINALITY,
  values: () => eachRow(new Words(), from, (words, value) => words.add(value)),
})
export const texts = <R>(name: string, from: From<R, readonly string[]>): Column<R> => ({
  name,
  type: 'Array(String)',
  values: () => eachRow(new Lists(new ByteSink()), from, addItems),
})
export const words = <R>(name: string, from: From<R, readonly string[]>): Column<R> => ({
  name,
  type: `Array(${LOW_CARDINALITY})`,
  values: () => eachRow(new Lists(new Words()), from, addWords),
})
export const textMap = <R>(name: string, from: From<R, Readonly<Record<string, string>>>): Column<R> => ({
  name,
  type: 'Map(String, String)',
  values: () => eachRow(new Maps(new ByteSink()), from, addTexts),
})
export const numberMap = <R>(name: string, from: From<R, Readonly<Record<string, number>>>): Column<R> => ({
  name,
  type: `Map(${LOW_CARDINALITY}, Float64)`,
  values: () => eachRow(new Maps(new Words()), from, addNumbers),
})

/** Something a column is written into. `write` gives the prefix of the type and the values. */
interface Target {
  write(give: (chunk: Buffer) => void): void
  clear(): void
}

function eachRow<R, T, S extends Target | ByteSink>(
  target: S,
  from: From<R, T>,
  put: (target: S, value: T) => void,
): Values<R> {
  return {
    add(rows, first, to, seq) {
      for (let at = first; at < to; at++) {
        const row = rows[at]
        if (row !== undefined) put(target, from(row, seq + at - first))
      }
    },
    write: (give) => (target instanceof ByteSink ? give(target.written()) : target.write(give)),
    clear: () => target.clear(),
  }
}

/** Version of LowCardinality on the wire: a dictionary in every block. */
const PREFIX = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0])
/** The block brings all the words it uses (1 << 9) and they replace those of the block before (1 << 10). */
const OWN_WORDS = 0x600

/** `LowCardinality(String)`: every distinct word once, and a position for each value. */
class Words implements Target {
  readonly #known = new Map<string, number>()
  readonly #words = new ByteSink()
  readonly #positions = new ByteSink()
  readonly #head = new ByteSink()
  readonly #middle = new ByteSink()
  #list = new Uint32Array(1024)
  #count = 0
  #last = ''
  #lastPosition = -1

  add(value: string): void {
    if (this.#count === this.#list.length) {
      const longer = new Uint32Array(this.#count * 2)
      longer.set(this.#list)
      this.#list = longer
    }
    // Neighbours are often alike, and comparing is cheaper than looking up.
    if (this.#lastPosition < 0 || value !== this.#last) {
      this.#last = value
      this.#lastPosition = this.#positionOf(value)
    }
    this.#list[this.#count++] = this.#lastPosition
  }

  #positionOf(value: string): number {
    const known = this.#known.get(value)
    if (known !== undefined) return known
    const position = this.#known.size
    this.#known.set(value, position)
    this.#words.text(value)
    return position
  }

  write(give: (chunk: Buffer) => void): void {
    give(PREFIX)
    this.writeValues(give)
  }

  writeValues(give: (chunk: Buffer) => void): void {
    if (this.#count === 0) return
    const distinct = this.#known.size
    const width = distinct <= 0x100 ? 0 : distinct <= 0x10000 ? 1 : 2
    this.#head.clear()
    this.#head.int64(OWN_WORDS + width)
    this.#head.int64(distinct)
    give(this.#head.written())
    give(this.#words.written())
    this.#middle.clear()
    this.#middle.int64(this.#count)
    give(this.#middle.written())
    this.#positions.clear()
    for (let at = 0; at < this.#count; at++) {
      const position = this.#list[at] ?? 0
      if (width === 0) this.#positions.uint8(position)
      else if (width === 1) this.#positions.uint16(position)
      else this.#positions.int32(position)
    }
    give(this.#positions.written())
  }

  clear(): void {
    this.#known.clear()
    this.#words.clear()
    this.#positions.clear()
    if (this.#list.length > KEPT_POSITIONS) this.#list = new Uint32Array(1024)
    this.#count = 0
    this.#last = ''
    this.#lastPosition = -1
  }
}
const KEPT_POSITIONS = 262_144

/** Writes what comes before the values of a type, and its values, which stand apart inside arrays and maps. */
function writePrefix(part: ByteSink | Words, give: (chunk: Buffer) => void): void {
  if (part instanceof Words) give(PREFIX)
}
function writeValues(part: ByteSink | Words, give: (chunk: Buffer) => void): void {
  if (part instanceof Words) part.writeValues(give)
  else give(part.written())
}

class Lists<I extends ByteSink | Words> implements Target {
  readonly ends = new ByteSink()
  readonly items: I
  end = 0

  constructor(items: I) {
    this.items = items
  }

  write(give: (chunk: Buffer) => void): void {
    writePrefix(this.items, give)
    give(this.ends.written())
    writeValues(this.items, give)
  }

  clear(): void {
    this.ends.clear()
    this.items.clear()
    this.end = 0
  }
}

class Maps<K extends ByteSink | Words> implements Target {
  readonly ends = new ByteSink()
  readonly keys: K
  readonly values = new ByteSink()
  end = 0

  constructor(keys: K) {
    this.keys = keys
  }

  write(give: (chunk: Buffer) => void): void {
    writePrefix(this.keys, give)
    give(this.ends.written())
    writeValues(this.keys, give)
    give(this.values.written())
  }

  clear(): void {
    this.ends.clear()
    this.keys.clear()
    this.values.clear()
    this.end = 0
  }
}

function addItems(lists: Lists<ByteSink>, items: readonly string[]): void {
  for (const item of items) lists.items.text(item)
  lists.end += items.length
  lists.ends.int64(lists.end)
}

function addWords(lists: Lists<Words>, items: readonly string[]): void {
  for (const item of items) lists.items.add(item)
  lists.end += items.length
  lists.ends.int64(lists.end)
}

function addTexts(maps: Maps<ByteSink>, entries: Readonly<Record<string, string>>): void {
  for (const key of Object.keys(entries)) {
    maps.keys.text(key)
    maps.values.text(entries[key] ?? '')
    maps.end += 1
  }
  maps.ends.int64(maps.end)
}

function addNumbers(maps: Maps<Words>, entries: Readonly<Record<string, number>>): void {
  for (const key of Object.keys(entries)) {
    maps.keys.add(key)
    maps.values.float64(entries[key] ?? 0)
    maps.end += 1
  }
  maps.ends.int64(maps.end)
}

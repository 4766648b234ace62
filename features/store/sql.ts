import type { Scope } from '../scope.ts'

/**
 * Quoting of values into SQL. Bound parameters are no option: the embedded binding serialises all bound queries of the
 * process, so an analyst's question would stop the pipeline (limits.md §4). Identifiers are never built from data.
 */

const SPECIAL = /[\\'\0]/g

/** A ClickHouse string literal that reads back as exactly `text` (lone surrogates become U+FFFD on the wire). */
export function literal(text: string): string {
  return `'${text.replace(SPECIAL, escapeCharacter)}'`
}

function escapeCharacter(character: string): string {
  // A raw NUL would end the statement at the C boundary of the embedded engine.
  return character === '\0' ? '\\0' : `\\${character}`
}

/** `('a', 'b')`; never empty, because `IN ()` is an error: an empty list becomes a tuple that matches no stored row. */
export function tuple(texts: readonly string[]): string {
  return texts.length === 0 ? "('\\0')" : `(${texts.map(literal).join(', ')})`
}

/** `['a', 'b']`. */
export function array(texts: readonly string[]): string {
  return `[${texts.map(literal).join(', ')}]`
}

/** An integer literal; anything that is no finite number becomes 0, so that no text of a caller reaches the SQL. */
export function integer(value: number): string {
  return Number.isFinite(value) ? String(BigInt(Math.trunc(value))) : '0'
}

/** Cuts a list into runs of at most `size`. */
export function* chunks<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size)
}

/** Condition on `identity`: the identities of the scope. `kafkaMurmurHash` is Kafka's own partitioner (`features/scope.ts`). */
export const owned = (scope: Scope | undefined): string =>
  scope === undefined
    ? '1'
    : `kafkaMurmurHash(identity) % ${integer(scope.partitions)} = ${integer(scope.partition)}`

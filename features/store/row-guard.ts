import { StoreError } from './store-error.ts'

/** Hand guards for result rows on paths where zod would cost more than the query (limits.md §8). */

export type Row = readonly unknown[]

function invalid(wanted: string, at: number): StoreError {
  return new StoreError('store-row-invalid', `Column ${at} of a result is no ${wanted}.`)
}

export function textAt(row: Row, at: number): string {
  const value = row[at]
  if (typeof value !== 'string') throw invalid('text', at)
  return value
}

export function numberAt(row: Row, at: number): number {
  const value = row[at]
  // ClickHouse writes inf and nan as null.
  if (value === null) return 0
  if (typeof value !== 'number') throw invalid('number', at)
  return value
}

export function listAt(row: Row, at: number): Row {
  const value: unknown = row[at]
  if (!Array.isArray(value)) throw invalid('list', at)
  return value
}

import type { ClickHouseClient } from '@clickhouse/client'
import { reasonOf, StoreError } from './store-error.ts'

/**
 * **Session**: one connection, one statement at a time, the same for the embedded engine and a server.
 *
 * In order because of the embedded engine: a failed query leaves what it had already printed in its connection, and the
 * next result starts with it (limits.md (c)). After a failure the session therefore asks a throw-away question before
 * anyone else's turn. Settings never go through `clickhouse_settings`, which would stick: they stand in the SQL.
 */
export class Session {
  readonly #client: ClickHouseClient
  #tail: Promise<unknown> = Promise.resolve()
  #closed = false

  constructor(client: ClickHouseClient) {
    this.#client = client
  }

  /** All rows as arrays, in the order of the selected columns. For results that fit in memory. */
  async rows(sql: string): Promise<readonly (readonly unknown[])[]> {
    const text = await this.#inTurn('store-read-failed', async () => {
      const result = await this.#client.query({ query: sql, format: 'JSONCompactEachRow' })
      return result.text()
    })
    return parseRows(text)
  }

  /** Runs a statement that returns nothing: DDL, INSERT … SELECT, SET. */
  async run(sql: string): Promise<void> {
    await this.#inTurn('store-write-failed', async () => {
      await this.#client.command({ query: sql })
    })
  }

  /**
   * Inserts rows that are already encoded, one JSON array a line, as one block: one part for each partition, so all of a
   * partition's rows or none. `columns` are named, because ClickHouse ignores unknown JSON columns without a word.
   */
  async insert(table: string, columns: readonly string[], body: string): Promise<void> {
    await this.run(
      `INSERT INTO ${table} (${columns.join(', ')}) ${INSERT_SETTINGS} FORMAT JSONCompactEachRow\n${body}`,
    )
  }

  /** Waits for statements under way, then closes. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#tail
    await this.#client.close()
  }

  #inTurn<T>(code: 'store-read-failed' | 'store-write-failed', work: () => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new StoreError('store-closed', 'The store is closed.'))
    const turn = this.#tail.then(async () => {
      try {
        return await work()
      } catch (error) {
        await this.#flushLeftovers()
        throw new StoreError(code, `ClickHouse: ${reasonOf(error)}`, error)
      }
    })
    this.#tail = turn.catch(() => undefined)
    return turn
  }

  async #flushLeftovers(): Promise<void> {
    try {
      const result = await this.#client.query({ query: 'SELECT 1', format: 'JSONCompactEachRow' })
      await result.text()
    } catch {
      // The connection is gone altogether: the next statement says so itself.
    }
  }
}

/**
 * `async_insert` is on by default in recent engines: it would cut and merge our blocks as it likes. Block limits far above
 * any batch keep an insert one block. A lone surrogate (`\ud800`) must not fail the batch that contains it.
 */
const INSERT_SETTINGS =
  'SETTINGS async_insert = 0, max_insert_block_size = 10000000, min_insert_block_size_rows = 10000000, ' +
  'min_insert_block_size_bytes = 10000000000, input_format_parallel_parsing = 0, ' +
  'input_format_json_throw_on_bad_escape_sequence = 0'

function parseRows(text: string): readonly (readonly unknown[])[] {
  const trimmed = text.trimEnd()
  if (trimmed === '') return []
  let rows: unknown
  try {
    // A raw line feed cannot occur inside a JSON string, so every one of them separates two rows.
    rows = JSON.parse(`[${trimmed.replaceAll('\n', ',')}]`)
  } catch (error) {
    throw new StoreError('store-read-failed', 'ClickHouse returned something that is not rows.', error)
  }
  if (!Array.isArray(rows) || !rows.every(Array.isArray)) {
    throw new StoreError('store-read-failed', 'ClickHouse returned something that is not rows.')
  }
  return rows
}

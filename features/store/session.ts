import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ClickHouseClient } from '@clickhouse/client'
import type { NativeBlock } from './native-block.ts'
import { literal } from './sql.ts'
import { lossOf, reasonOf, StoreError } from './store-error.ts'

/**
 * **Session**: one statement at a time, the same for the embedded engine and a server. Settings never go through
 * `clickhouse_settings`, which stick to an embedded connection (limits.md (c)): they stand in the SQL.
 *
 * A server can be lost in the middle of a statement, and nobody knows then whether it was carried out. Everything we write
 * may be written again, but not later than what comes after it: tables without a version keep the row inserted last. So the
 * session first waits until the server has done with the lost statement; then it sends it again, once. After a timeout, which
 * was long already, it leaves that to its caller.
 */
export class Session {
  readonly #client: ClickHouseClient
  #tail: Promise<unknown> = Promise.resolve()
  /** A statement that may still be under way in the server. */
  #unsettled: string | undefined
  #closed = false

  constructor(client: ClickHouseClient) {
    this.#client = client
  }

  /** All rows as arrays, in the order of the selected columns. For results that fit in memory. */
  async rows(sql: string): Promise<readonly (readonly unknown[])[]> {
    const answer = await this.#inTurn('store-read-failed', async (query_id) => {
      const result = await this.#client.query({ query: sql, format: 'JSONCompact', query_id })
      return result.text()
    })
    return parseRows(answer)
  }

  /** Runs a statement that returns nothing: DDL, INSERT … SELECT, SET. It must do no harm when it is run twice. */
  async run(sql: string): Promise<void> {
    await this.#inTurn('store-write-failed', async (query_id) => {
      const { stream } = await this.#client.exec({ query: sql, query_id })
      refuseException(await text(stream))
    })
  }

  /**
   * Inserts rows that are already encoded, one JSON array a line, as one block: one part for each partition, so all of a
   * partition's rows or none. `columns` are named, because ClickHouse ignores unknown JSON columns without a word.
   */
  async insert(table: string, columns: readonly string[], body: string): Promise<void> {
    const query = `INSERT INTO ${table} (${columns.join(', ')}) ${INSERT_SETTINGS} FORMAT JSONCompactEachRow`
    await this.#inTurn('store-write-failed', async (query_id) => {
      const { stream } = await this.#client.exec({ query, values: Readable.from([body]), query_id })
      refuseException(await text(stream))
    })
  }

  /**
   * Inserts a block as one block, like `insert`; its rows arrive in the engine's own form. `before` is called right before it
   * is sent, each time, and may throw to leave it.
   */
  async insertBlock(
    table: string,
    block: Pick<NativeBlock<unknown>, 'names' | 'chunks'>,
    before: () => void = () => {},
  ): Promise<void> {
    const query = `INSERT INTO ${table} (${block.names.join(', ')}) ${INSERT_SETTINGS} FORMAT Native`
    const send = async (query_id: string): Promise<void> => {
      const values = Readable.from(block.chunks(), { objectMode: false })
      const { stream } = await this.#client.exec({ query, values, query_id })
      refuseException(await text(stream))
    }
    await this.#inTurn('store-write-failed', send, before)
  }

  /** Waits for statements under way, then closes. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#tail
    await this.#client.close()
  }

  #inTurn<T>(
    code: FailureCode,
    work: (queryId: string) => Promise<T>,
    before: () => void = () => {},
  ): Promise<T> {
    if (this.#closed) return Promise.reject(new StoreError('store-closed', 'The store is closed.'))
    const turn = this.#tail.then(() => this.#attempt(code, work, before))
    this.#tail = turn.catch(() => undefined)
    return turn
  }

  async #attempt<T>(
    code: FailureCode,
    work: (queryId: string) => Promise<T>,
    before: () => void,
  ): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      await this.#settle(code)
      before()
      const queryId = randomUUID()
      try {
        return await work(queryId)
      } catch (error) {
        const loss = lossOf(error)
        if (loss !== 'none' && code === 'store-write-failed') this.#unsettled = queryId
        if (loss !== 'lost' || attempt === ATTEMPTS) throw failure(code, error)
      }
    }
  }

  /** Waits until the server is no longer at a statement whose answer was lost. */
  async #settle(code: FailureCode): Promise<void> {
    const id = this.#unsettled
    if (id === undefined) return
    const query = `SELECT query_id FROM system.processes WHERE query_id = ${literal(id)}`
    for (let waited = 0; ; waited += POLL_MS) {
      let answer: string
      try {
        answer = await (await this.#client.query({ query, format: 'JSONCompact' })).text()
      } catch (error) {
        throw failure(code, error)
      }
      if (parseRows(answer).length === 0) break
      if (waited >= PATIENCE_MS)
        throw new StoreError(
          'store-timeout',
          `ClickHouse has been at a statement for over ${PATIENCE_MS / 1000} s that nobody waits for any more.`,
        )
      await sleep(POLL_MS)
    }
    this.#unsettled = undefined
  }
}

type FailureCode = 'store-read-failed' | 'store-write-failed'

/** The second one finds a new connection: an idle one may be closed by the server just when it is used. */
const ATTEMPTS = 2
const POLL_MS = 50
const PATIENCE_MS = 60_000

function failure(code: FailureCode, error: unknown): StoreError {
  const loss = lossOf(error)
  const unknown =
    loss !== 'none' && code === 'store-write-failed'
      ? ' Whether it was carried out is unknown; it is safe to repeat.'
      : ''
  return loss === 'timeout'
    ? new StoreError('store-timeout', `ClickHouse did not answer in time.${unknown}`, error)
    : new StoreError(code, `ClickHouse: ${reasonOf(error)}${unknown}`, error)
}

/**
 * `async_insert` is on by default in recent engines: it would cut and merge our blocks as it likes. Block limits far above
 * any batch keep an insert one block. A lone surrogate (`\ud800`) must not fail the batch that contains it.
 */
const INSERT_SETTINGS =
  'SETTINGS async_insert = 0, max_insert_block_size = 10000000, min_insert_block_size_rows = 10000000, ' +
  'min_insert_block_size_bytes = 10000000000, input_format_parallel_parsing = 0, ' +
  'input_format_json_throw_on_bad_escape_sequence = 0'

/** What a server says when it fails after it has sent HTTP 200. */
const EXCEPTION = /Code: \d+\. DB::Exception: [^\r\n]*/

function refuseException(answer: string): void {
  const exception = EXCEPTION.exec(answer)
  if (exception !== null) throw new Error(exception[0])
}

/**
 * A server that fails half-way through a result has said HTTP 200 already, and some write the exception as one more row. So
 * the format is one document, which is only valid when it is whole, and says how many rows it has and of an exception.
 */
function parseRows(answer: string): readonly (readonly unknown[])[] {
  let document: unknown
  try {
    document = JSON.parse(answer)
  } catch (error) {
    const said = EXCEPTION.exec(answer.slice(-EXCEPTION_REACH))?.[0]
    throw new StoreError(
      'store-read-failed',
      `ClickHouse: ${reasonOf(said ?? 'the result is not whole.')}`,
      error,
    )
  }
  if (typeof document !== 'object' || document === null || !('data' in document) || !('rows' in document))
    throw new StoreError('store-read-failed', 'ClickHouse returned something that is not rows.')
  const { data, rows } = document
  if ('exception' in document)
    throw new StoreError('store-read-failed', `ClickHouse: ${reasonOf(document.exception)}`)
  if (!Array.isArray(data) || data.length !== rows || !data.every(Array.isArray))
    throw new StoreError('store-read-failed', 'ClickHouse returned something that is not rows.')
  return data
}
/** Characters at the end of an answer in which its exception is looked for. */
const EXCEPTION_REACH = 16_384

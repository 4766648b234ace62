import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { type ClickHouseClient, ClickHouseLogLevel, createClient } from '@clickhouse/client'
import { createChdbConnection } from 'chdb/connection'
import { bare } from '../../features/store/client.ts'

/**
 * ClickHouse's HTTP interface, as far as `@clickhouse/client` uses it, in front of the real embedded engine, in a process of
 * its own: `clickhouse-front-process.js <data directory> <port>`. See `clickhouse-front.ts`.
 */
const [path = '', port = '0'] = process.argv.slice(2)
const CONNECTIONS = 8
/** Settings that our client sends with every request; anything else would be silently ignored here, so it is refused. */
const SETTINGS = new Map([
  ['max_query_size', '268435456'],
  ['output_format_json_quote_64bit_integers', '0'],
])
const PROTOCOL = new Set([
  'database',
  'query_id',
  'default_format',
  'query',
  'session_id',
  'role',
  'send_progress_in_http_headers',
])

interface Connection {
  readonly client: ClickHouseClient
  database: string
}

export type Fault =
  | { readonly mode: 'none' }
  /** Inserts answer with an error; nothing is applied. */
  | { readonly mode: 'fail-inserts' }
  /** The connection is cut before anything is done. */
  | { readonly mode: 'refuse' }
  /** The statement is applied, and the answer never comes. */
  | { readonly mode: 'apply-then-silence'; readonly statements: number }
  /** HTTP 200, some rows, then an exception in the stream. */
  | { readonly mode: 'error-after-200'; readonly statements: number }
  | { readonly mode: 'slow'; readonly milliseconds: number }

let fault: Fault = { mode: 'none' }
const idle: Connection[] = []
const waiting: ((connection: Connection) => void)[] = []

for (let index = 0; index < CONNECTIONS; index++) {
  const client = createClient({
    connection: bare(createChdbConnection({ path })),
    log: { level: ClickHouseLogLevel.OFF },
  })
  for (const [name, value] of SETTINGS) await client.command({ query: `SET ${name} = ${value}` })
  idle.push({ client, database: '' })
}

const server = createServer((request, response) => {
  answer(request, response).catch((error: unknown) => {
    const message = error instanceof Error ? error.message : String(error)
    response.statusCode = 500
    response.setHeader('x-clickhouse-exception-code', /Code: (\d+)/.exec(message)?.[1] ?? '1002')
    response.end(message)
  })
})
server.keepAliveTimeout = 3000
server.listen(Number(port), '127.0.0.1', () => process.send?.('listening'))

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://front')
  if (url.pathname === '/ping') {
    response.end('Ok.\n')
    return
  }
  const body = await text(request)
  if (url.pathname === '/fault') {
    fault = JSON.parse(body)
    response.end()
    return
  }
  const given = url.searchParams.get('query')
  const sql = given === null ? body : `${given}\n${body}`
  const insert = /^\s*(?:--[^\n]*\n\s*)*INSERT/i.test(sql)
  const now = fault
  if (now.mode === 'refuse') {
    request.socket.destroy()
    return
  }
  if (now.mode === 'fail-inserts' && insert)
    throw new Error('Code: 243. DB::Exception: Cannot reserve space (NOT_ENOUGH_SPACE)')
  if (now.mode === 'slow') await new Promise((resolve) => setTimeout(resolve, now.milliseconds))
  for (const [name, value] of url.searchParams)
    if (!PROTOCOL.has(name) && SETTINGS.get(name) !== value && name !== 'enable_http_compression')
      throw new Error(`Code: 115. DB::Exception: the test's front does not apply ${name}=${value}`)
  const rows = await execute(sql, url.searchParams.get('database') ?? 'default')
  if (now.mode === 'apply-then-silence') {
    fault = now.statements > 1 ? { ...now, statements: now.statements - 1 } : { mode: 'none' }
    return
  }
  response.setHeader('x-clickhouse-query-id', url.searchParams.get('query_id') ?? '')
  response.setHeader(
    'x-clickhouse-summary',
    '{"read_rows":"0","read_bytes":"0","written_rows":"0","written_bytes":"0"}',
  )
  response.setHeader('content-type', 'text/plain; charset=UTF-8')
  if (now.mode === 'error-after-200' && !insert) {
    fault = now.statements > 1 ? { ...now, statements: now.statements - 1 } : { mode: 'none' }
    response.end(
      `${rows.subarray(0, rows.length / 2).toString()}\nCode: 241. DB::Exception: Memory limit exceeded. (MEMORY_LIMIT_EXCEEDED)`,
    )
    return
  }
  response.end(rows)
}

async function execute(query: string, database: string): Promise<Buffer> {
  const connection = idle.pop() ?? (await new Promise<Connection>((resolve) => waiting.push(resolve)))
  try {
    if (connection.database !== database) {
      await connection.client.command({ query: `USE ${database}` })
      connection.database = database
    }
    const { stream } = await connection.client.exec({ query })
    const parts: Buffer[] = []
    for await (const part of stream) parts.push(Buffer.from(part))
    return Buffer.concat(parts)
  } catch (error) {
    // The embedded connection keeps the rows of a failed query and gives them to the next one (limits.md (c)).
    await connection.client.query({ query: 'SELECT 1' }).then(
      (result) => result.text(),
      () => '',
    )
    throw error
  } finally {
    const next = waiting.shift()
    if (next === undefined) idle.push(connection)
    else next(connection)
  }
}

process.once('SIGTERM', () => {
  server.close()
  server.closeAllConnections()
  Promise.all(idle.map(({ client }) => client.close())).then(
    () => process.exit(0),
    () => process.exit(1),
  )
})

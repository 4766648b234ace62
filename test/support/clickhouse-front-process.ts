import { randomUUID } from 'node:crypto'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { EngineFailure, EnginePool, type Result } from './clickhouse-engine.ts'
import { BEGINNING, type Fault, Faults } from './clickhouse-faults.ts'

/**
 * ClickHouse's HTTP interface in front of the real embedded engine:
 * `clickhouse-front-process.js <folder> <port> [<password>]`, started by `clickhouse-front.ts`, told about faults by messages
 * of its parent, and ending with it. What it does not do like a server it refuses, so that no test passes by silence.
 */
const [folder = '', port = '0', password = ''] = process.argv.slice(2)
/** Bytes that a server collects before it commits itself to HTTP 200. */
const SERVER_BUFFER = 1_048_576
const KEEP_ALIVE_MS = 3000
/** Formats that carry their own types: through a file, because the embedded engine takes statements as text only. */
const BINARY = /\bFORMAT\s+(Native|ArrowStream|Arrow|Parquet)\s*$/i
const INSERT = /^\s*INSERT\b/i
const PROTOCOL = new Set(['database', 'query_id', 'default_format', 'query', 'user', 'password'])
/** Settings of the HTTP layer, which the engine does not know: without effect, or applied here. */
const HTTP_SETTINGS = new Set(['wait_end_of_query', 'buffer_size', 'send_progress_in_http_headers'])

interface Control {
  readonly id: number
  readonly fault: Fault | null
}

const transfer = join(folder, 'transfer')
mkdirSync(transfer, { recursive: true })
const engine = new EnginePool(join(folder, 'data'))
const faults = new Faults()
const sockets = new Set<Socket>()
/** Sockets that have served a request. */
const used = new WeakSet<Socket>()
/** Statements under way, for `system.processes`: the engine's own list does not have the ids of the clients. */
const running = new Map<symbol, { readonly id: string; readonly sql: string; readonly since: number }>()

const server = createServer((request, response) => {
  answer(request, response).catch((error: unknown) => {
    if (request.socket.destroyed) return
    fail(response, error instanceof Error ? error.message : String(error))
  })
})
server.keepAliveTimeout = KEEP_ALIVE_MS
server.on('connection', (socket) => {
  if (faults.strike(['refuse'], '') !== undefined) {
    socket.resetAndDestroy()
    return
  }
  sockets.add(socket)
  socket.once('close', () => sockets.delete(socket))
})

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { socket } = request
  const url = new URL(request.url ?? '/', 'http://front')
  const reused = used.has(socket)
  used.add(socket)
  if (url.pathname === '/ping' || (url.pathname === '/' && request.method === 'GET' && url.search === '')) {
    response.end('Ok.\n')
    return
  }
  // A body that ends early rejects here: an INSERT that was cut on its way is not executed.
  const body = await buffer(request)
  const given = url.searchParams.get('query') ?? ''
  const beginning = given === '' ? body.toString('utf8', 0, BEGINNING) : given.slice(0, BEGINNING)
  if (reused && faults.strike(['reset-keepalive'], beginning) !== undefined) {
    socket.resetAndDestroy()
    return
  }
  if (!authenticated(request, url)) {
    fail(
      response,
      'Code: 516. DB::Exception: default: Authentication failed: password is incorrect, or there is no user with such name. (AUTHENTICATION_FAILED)',
      403,
    )
    return
  }
  const insert = INSERT.test(beginning)
  const id = url.searchParams.get('query_id') ?? randomUUID()
  const key = Symbol(id)
  running.set(key, { id, sql: beginning, since: performance.now() })
  response.setHeader('x-clickhouse-query-id', id)
  try {
    if (insert && faults.strike(['fail-inserts'], beginning) !== undefined)
      throw new Error(
        'Code: 243. DB::Exception: Cannot reserve 1.00 MiB, not enough space. (NOT_ENOUGH_SPACE)',
      )
    const broken = faults.strike(['error-after-200'], beginning)
    if (broken !== undefined && insert) {
      await breakOff(response, Buffer.alloc(0), broken.style)
      return
    }
    const slow = faults.strike(['slow'], beginning)
    if (slow !== undefined) await sleep(slow.milliseconds)
    if (insert && faults.strike(['half-insert'], beginning) !== undefined) {
      await execute(given, body, url.searchParams, true)
      socket.resetAndDestroy()
      return
    }
    const result = await execute(given, body, url.searchParams)
    const lost = faults.strike(['apply-then-timeout', 'apply-then-reset'], beginning)
    if (lost?.mode === 'apply-then-reset') socket.resetAndDestroy()
    if (lost !== undefined) return
    if (broken !== undefined) {
      await breakOff(response, Buffer.from(result.bytes), broken.style)
      return
    }
    succeed(response, result)
    response.end(result.bytes)
  } catch (error) {
    const buffered = url.searchParams.get('wait_end_of_query') === '1'
    if (!(error instanceof EngineFailure) || buffered || error.output.length < SERVER_BUFFER) throw error
    succeed(response)
    const sent = error.output.length - (error.output.length % SERVER_BUFFER)
    response.end(Buffer.concat([error.output.subarray(0, sent), Buffer.from(`${error.message}\n`)]))
  } finally {
    running.delete(key)
  }
}

/** `half`: only the first half of the rows that come with an INSERT. */
async function execute(
  given: string,
  body: Buffer,
  parameters: URLSearchParams,
  half = false,
): Promise<Result> {
  const settings = new Map<string, string>()
  for (const [name, value] of parameters) {
    if (PROTOCOL.has(name) || HTTP_SETTINGS.has(name)) continue
    if (name.startsWith('param_') || ['session_id', 'role', 'enable_http_compression'].includes(name))
      throw new Error(`Code: 48. DB::Exception: the front of the tests has no ${name}. (NOT_IMPLEMENTED)`)
    settings.set(name, value)
  }
  const statement = {
    database: parameters.get('database') ?? 'default',
    settings,
    format: parameters.get('default_format') ?? 'TabSeparated',
  }
  const binary = BINARY.exec(given)
  if (binary !== null)
    return insertBinary(given.slice(0, binary.index), binary[1] ?? '', body, statement, half)
  // An INSERT that brings no rows is no mistake for a server.
  if (INSERT.test(given) && /\bFORMAT\s+\w+\s*$/i.test(given) && body.length === 0) return NOTHING
  const data = half ? firstHalf(body, given === '') : body
  const sql = given === '' ? data.toString() : data.length === 0 ? given : `${given}\n${data}`
  return engine.run({ ...statement, sql: INSERT.test(sql) ? sql : withProcesses(sql) })
}

const NOTHING: Result = { bytes: new Uint8Array(), rowsRead: 0, bytesRead: 0, elapsed: 0 }

async function insertBinary(
  head: string,
  format: string,
  body: Buffer,
  statement: {
    readonly database: string
    readonly settings: ReadonlyMap<string, string>
    readonly format: string
  },
  half: boolean,
): Promise<Result> {
  const file = join(transfer, randomUUID())
  writeFileSync(file, body)
  try {
    // By name, as a server takes them.
    const columns = /^\s*INSERT\s+INTO\s+[^\s(]+\s*\(([^)]*)\)/i.exec(head)?.[1] ?? '*'
    const source = `FROM file('${file}', '${format}')`
    const counted = half ? await engine.run({ ...statement, sql: `SELECT count() ${source}` }) : undefined
    const rows = counted === undefined ? 0 : Math.ceil(Number(Buffer.from(counted.bytes).toString()) / 2)
    const limit = half ? ` LIMIT ${rows}` : ''
    return await engine.run({ ...statement, sql: `${head} SELECT ${columns} ${source}${limit}` })
  } finally {
    rmSync(file)
  }
}

/** `system.processes` as a server has it: everything that was received and is not answered. */
function withProcesses(sql: string): string {
  if (!sql.includes('system.processes')) return sql
  const rows = [...running.values()].map(({ id, sql: text, since }) => {
    const word = /^\s*([A-Za-z]+)/.exec(text)?.[1] ?? ''
    const kind = `${word.slice(0, 1).toUpperCase()}${word.slice(1).toLowerCase()}`
    const elapsed = (performance.now() - since) / 1000
    return `(${quoted(id)}, ${quoted(kind)}, ${quoted(text)}, ${elapsed})`
  })
  const structure = quoted('query_id String, query_kind String, query String, elapsed Float64')
  return sql.replaceAll('system.processes', () => `(SELECT * FROM values(${structure}, ${rows.join(', ')}))`)
}

const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`

/** The first half of the rows of an INSERT, at least one, cut between two of them. */
function firstHalf(body: Buffer, statementInBody: boolean): Buffer {
  const lines = body.toString().trimEnd().split('\n')
  const head = statementInBody ? 1 : 0
  return Buffer.from(lines.slice(0, head + Math.max(1, Math.floor((lines.length - head) / 2))).join('\n'))
}

function succeed(response: ServerResponse, result: Result = NOTHING): void {
  response.setHeader('content-type', 'text/plain; charset=UTF-8')
  response.setHeader('x-clickhouse-server-display-name', 'front')
  response.setHeader('x-clickhouse-timezone', 'UTC')
  response.setHeader(
    'x-clickhouse-summary',
    JSON.stringify({
      read_rows: String(result.rowsRead),
      read_bytes: String(result.bytesRead),
      written_rows: '0',
      written_bytes: '0',
      total_rows_to_read: '0',
      result_rows: '0',
      result_bytes: String(result.bytes.length),
      elapsed_ns: String(Math.round(result.elapsed * 1e9)),
    }),
  )
}

function fail(response: ServerResponse, message: string, status = 500): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  response.statusCode = status
  response.setHeader('content-type', 'text/plain; charset=UTF-8')
  response.setHeader('x-clickhouse-exception-code', /Code: (\d+)/.exec(message)?.[1] ?? '1002')
  response.end(`${message}\n`)
}

const EXCEPTION =
  'Code: 241. DB::Exception: Memory limit (total) exceeded: would use 1.00 GiB. (MEMORY_LIMIT_EXCEEDED)'
const TAG = 'abcdefghijklmnop'

async function breakOff(
  response: ServerResponse,
  rows: Buffer,
  style: 'text' | 'row' | 'tagged' | 'cut',
): Promise<void> {
  succeed(response)
  if (style === 'row') {
    response.end(withExceptionInFormat(rows.toString()))
    return
  }
  if (style === 'tagged') response.setHeader('x-clickhouse-exception-tag', TAG)
  // Between two rows: nothing but what follows shows that some are missing.
  const half = rows.subarray(0, rows.lastIndexOf('\n', Math.max(1, rows.length / 2)) + 1)
  if (style === 'text') response.end(`${half}${EXCEPTION}\n`)
  if (style === 'tagged') {
    const message = `${EXCEPTION}\n`
    const frame = `\r\n__exception__\r\n${TAG}\r\n${message}${message.length} ${TAG}\r\n__exception__\r\n`
    response.end(`${half}${frame}`)
  }
  if (style === 'cut') {
    await new Promise<void>((done) => {
      response.write(half.length === 0 ? ' ' : half, () => done())
    })
    response.socket?.destroy()
  }
}

/** What `http_write_exception_in_output_format` makes of a result: still valid JSON, with half of the rows. */
function withExceptionInFormat(text: string): string {
  if (!text.startsWith('{')) {
    const rows = text.trimEnd().split('\n')
    return `${[...rows.slice(0, rows.length / 2), JSON.stringify([EXCEPTION])].join('\n')}\n`
  }
  const document: { data: unknown[] } = JSON.parse(text)
  const data = document.data.slice(0, document.data.length / 2)
  return JSON.stringify({ ...document, data, rows: data.length, exception: EXCEPTION })
}

function authenticated(request: IncomingMessage, url: URL): boolean {
  if (password === '') return true
  const [scheme, credentials = ''] = (request.headers.authorization ?? '').split(' ')
  const basic = scheme === 'Basic' ? Buffer.from(credentials, 'base64').toString() : ''
  return [
    basic.slice(basic.indexOf(':') + 1),
    request.headers['x-clickhouse-key'],
    url.searchParams.get('password'),
  ].includes(password)
}

process.on('message', ({ id, fault }: Control) => {
  const struck = faults.heal()
  if (fault !== null) faults.set(fault)
  if (fault?.mode === 'refuse') for (const socket of sockets) socket.resetAndDestroy()
  process.send?.({ id, struck })
})
// Without its parent nobody can stop it.
process.once('disconnect', () => process.exit(0))
process.once('SIGTERM', () => {
  server.close(() => {
    engine.close()
    process.exit(0)
  })
  server.closeIdleConnections()
})

// Opens the directory, which takes a while.
await engine.run({ sql: 'SELECT 1', database: 'default', settings: new Map(), format: 'TabSeparated' })
server.listen(Number(port), '127.0.0.1', () => process.send?.({ id: 0, struck: 0 }))

import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { type FastifyBaseLogger, type FastifyInstance, fastify, LogController } from 'fastify'
import { createAccessGuard } from './access.ts'
import type { Engine } from './engine.ts'
import type { Intake } from './intake.ts'
import type { Logger } from './logger.ts'
import type { Metrics } from './metrics.ts'
import { Problem, type ProblemCode, problemBody, sendProblem } from './problem.ts'
import type { Flow } from './roles/flow.ts'
import { alertRoutes } from './routes/alerts.ts'
import { catalogueRoutes } from './routes/catalogues.ts'
import { identityRoutes } from './routes/identities.ts'
import { ingestRoutes } from './routes/ingest.ts'
import { operationRoutes } from './routes/operation.ts'

/** What the routes work with. */
export interface ServerParts {
  readonly engine: Pick<Engine, 'store' | 'registry' | 'detectors' | 'restored' | 'identities'>
  /** Absent where logs come by Kafka only. */
  readonly intake: Intake | undefined
  /** What reads from Kafka. */
  readonly flows?: readonly Flow[] | undefined
  readonly metrics: Metrics
  readonly logger: Logger
  readonly version: string
  readonly token: string | undefined
  /** Most uncompressed bytes of a request; default 256 MiB. */
  readonly maxBodyBytes?: number | undefined
}

const MAX_HEADER_BYTES = 16 * 1024
const HEADERS_TIMEOUT_MS = 15_000
/** A whole upload, the store's backpressure included. */
const REQUEST_TIMEOUT_MS = 600_000
const KEEP_ALIVE_MS = 10_000
const MAX_CONNECTIONS = 512
/** Identity ids are at most 512 UTF-16 units, up to nine characters each when percent-encoded. */
const MAX_PARAMETER = 4608
const REQUEST_ID = /^[\w.:-]{1,64}$/

const HEADERS = {
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
} as const

/** The HTTP API, not yet listening. */
export function createServer(parts: ServerParts): FastifyInstance {
  const { logger, metrics } = parts
  const loggerInstance: FastifyBaseLogger = logger
  const app = fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true }),
    // An id of the client is kept: it names dead letters, so a request that is repeated repeats them instead of adding to them.
    genReqId: (request: IncomingMessage) => {
      const given = request.headers['x-request-id']
      return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID()
    },
    http: { maxHeaderSize: MAX_HEADER_BYTES, headersTimeout: HEADERS_TIMEOUT_MS },
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: 'idle',
    // Answered by our own hook, as a problem like any other.
    return503OnClosing: false,
    routerOptions: { maxParamLength: MAX_PARAMETER },
    frameworkErrors: (error, _request, reply) => {
      sendProblem(reply, problemOf(error))
    },
    clientErrorHandler: (error, socket) => {
      if (error.code === 'ECONNRESET' || !socket.writable) return
      socket.end(rawProblem(clientProblem(error.code)))
    },
  })
  app.server.maxConnections = MAX_CONNECTIONS

  const guard = createAccessGuard(parts.token)
  let closing = false
  app.addHook('preClose', async () => {
    closing = true
  })
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({ ...HEADERS, 'x-request-id': request.id })
    const { authorization, host, origin } = request.headers
    const fetchSite = request.headers['sec-fetch-site']
    guard({
      route: request.routeOptions.url ?? '',
      authorization,
      host,
      origin,
      fetchSite: Array.isArray(fetchSite) ? fetchSite[0] : fetchSite,
    })
    if (closing) throw new Problem('shutting-down', 'The server is shutting down.')
  })
  app.addHook('onSend', async (_request, reply, payload) => {
    // Else the connection stays open behind the last answer, and closing waits until it has been idle long enough.
    if (closing) reply.header('connection', 'close')
    return payload
  })
  app.addHook('onResponse', async (request, reply) => {
    // The pattern, not the path: paths carry ids of identities, and anybody can invent them.
    const route = request.routeOptions.url ?? 'unknown'
    metrics.request(route, reply.statusCode)
    logger.info(
      {
        reqId: request.id,
        method: request.method,
        route,
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime),
      },
      'answered',
    )
  })
  app.setErrorHandler((error, request, reply) => {
    const problem = problemOf(error)
    if (problem.code === 'internal' || problem.code === 'store-unavailable') {
      // A batch that failed was counted where it failed.
      if (problem.code === 'store-unavailable' && request.method === 'GET') metrics.storeError()
      logger.error({ reqId: request.id, err: error }, 'request failed')
    }
    return sendProblem(reply, problem)
  })
  app.setNotFoundHandler((_request, reply) =>
    sendProblem(reply, new Problem('unknown-route', 'No route has this method and path.')),
  )
  // Bodies are logs, whatever they call themselves: only the ingest route reads one, as a stream.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))

  if (parts.intake !== undefined) ingestRoutes(app, { ...parts, intake: parts.intake })
  alertRoutes(app, parts)
  identityRoutes(app, parts)
  catalogueRoutes(app, parts)
  operationRoutes(app, parts)
  return app
}

/** Any error as the problem that is told: coded ones by their code, everything else as a fault of ours. */
function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new Problem('body-too-large', 'The body is too large.')
  if (code === 'FST_ERR_BAD_URL')
    return new Problem('invalid-request', 'The path is not validly percent-encoded.')
  if (code.startsWith('FST_ERR_CTP')) return new Problem('invalid-request', 'The body headers are invalid.')
  if (code.startsWith('store-'))
    return new Problem('store-unavailable', 'The store does not answer.', { cause: error })
  // Of the operating system: a full disk under the findings, a lost connection.
  if (/^E[A-Z]{2,}$/.test(code))
    return new Problem('store-unavailable', 'What was taken could not be stored or published.', {
      cause: error,
    })
  return new Problem('internal', 'The request could not be answered.', { cause: error })
}

function clientProblem(code: string): ProblemCode {
  if (code === 'HPE_HEADER_OVERFLOW') return 'headers-too-large'
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'request-timeout' : 'invalid-request'
}

const STATUS_LINES: Readonly<Partial<Record<ProblemCode, string>>> = {
  'headers-too-large': '431 Request Header Fields Too Large',
  'request-timeout': '408 Request Timeout',
}

/** For what is not even HTTP: there is no reply object yet. */
function rawProblem(code: ProblemCode): string {
  const body = JSON.stringify(problemBody(new Problem(code, 'The request could not be read.'), 'none'))
  return (
    `HTTP/1.1 ${STATUS_LINES[code] ?? '400 Bad Request'}\r\ncontent-type: application/problem+json; charset=utf-8\r\n` +
    `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`
  )
}

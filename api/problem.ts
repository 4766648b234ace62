import type { FastifyReply } from 'fastify'

/**
 * Refusals as problem+json (RFC 9457). `code` is stable and is what clients branch on; `next` says what to do about it.
 * Nothing of an internal error leaves the process: its request id leads to the log line.
 */
interface ProblemText {
  readonly status: number
  readonly title: string
  readonly next: string
}

export const PROBLEMS = {
  'invalid-request': {
    status: 400,
    title: 'The request is malformed',
    next: 'Correct the request; the detail names what is wrong.',
  },
  'invalid-query': {
    status: 400,
    title: 'The query parameters are invalid',
    next: 'Correct the parameters named in the detail; unknown ones are refused.',
  },
  'invalid-cursor': {
    status: 400,
    title: 'The cursor is not one of ours',
    next: 'Pass `next` of the page before unchanged, or leave `cursor` out to start again.',
  },
  'damaged-gzip': {
    status: 400,
    title: 'The gzip data are cut or damaged',
    next: 'Records before the damage are stored (see `counts`). Send the whole body again; what is stored counts as duplicate.',
  },
  'unreadable-body': {
    status: 400,
    title: 'The body is no log',
    next: 'Send UTF-8 text: NDJSON, a JSON document or log lines, optionally gzip-compressed.',
  },
  unauthenticated: {
    status: 401,
    title: 'A bearer token is required',
    next: 'Send `Authorization: Bearer <token>` with the value of PLUMBLINE_TOKEN.',
  },
  'wrong-token': {
    status: 401,
    title: 'The bearer token is wrong',
    next: 'Send the value of PLUMBLINE_TOKEN that the server was started with.',
  },
  'foreign-host': {
    status: 403,
    title: 'The Host header is not a loopback name',
    next: 'Without a token only localhost, 127.0.0.0/8 and [::1] are answered. Set PLUMBLINE_TOKEN to use another name.',
  },
  'foreign-origin': {
    status: 403,
    title: 'Requests from other web sites are refused',
    next: 'Call the API from a program, not from a page of another origin.',
  },
  'unknown-route': {
    status: 404,
    title: 'There is nothing at this address',
    next: 'Check the method and the path against the documentation of the API.',
  },
  'unknown-source': {
    status: 404,
    title: 'There is no such source',
    next: 'Use an id from GET /v1/sources, or `auto` to have every record recognised.',
  },
  'unknown-alert': {
    status: 404,
    title: 'There is no such alert',
    next: 'GET /v1/alerts lists them.',
  },
  'unknown-identity': {
    status: 404,
    title: 'There is no such identity',
    next: 'Percent-encode the whole id; GET /v1/identities?text= searches.',
  },
  'request-timeout': {
    status: 408,
    title: 'The request took too long to arrive',
    next: 'Send it again in smaller parts.',
  },
  'body-too-large': {
    status: 413,
    title: 'The body is too large',
    next: 'Send it in smaller parts. Records before the limit are stored (see `counts`) and count as duplicate when sent again.',
  },
  'unsupported-encoding': {
    status: 415,
    title: 'The content encoding is not supported',
    next: 'Send the body as it is or with `Content-Encoding: gzip`.',
  },
  'headers-too-large': {
    status: 431,
    title: 'The request headers are too large',
    next: 'Send fewer or shorter headers.',
  },
  internal: {
    status: 500,
    title: 'A fault of ours',
    next: 'Look for the request id in the log of the server and report it.',
  },
  overloaded: {
    status: 503,
    title: 'Too many requests at the same time',
    next: 'Wait for the time of Retry-After and send the request again.',
  },
  'store-unavailable': {
    status: 503,
    title: 'The store does not answer',
    next: 'Wait for the time of Retry-After and send the whole request again; what is stored counts as duplicate.',
  },
  'shutting-down': {
    status: 503,
    title: 'The server is shutting down',
    next: 'Send the whole request again once it is back; what is stored counts as duplicate.',
  },
} as const satisfies Readonly<Record<string, ProblemText>>
export type ProblemCode = keyof typeof PROBLEMS

/** Seconds of Retry-After on a 503. */
const RETRY_AFTER_S = 5

/** Thrown by routes, answered by the error handler. */
export class Problem extends Error {
  readonly code: ProblemCode
  /** Further members of the answer, such as `counts`. */
  readonly extra: Readonly<Record<string, unknown>>

  constructor(
    code: ProblemCode,
    detail: string,
    about: { readonly cause?: unknown; readonly extra?: Readonly<Record<string, unknown>> } = {},
  ) {
    super(detail, about.cause === undefined ? undefined : { cause: about.cause })
    this.name = 'Problem'
    this.code = code
    this.extra = about.extra ?? {}
  }
}

/** The body of a problem answer. */
export function problemBody(problem: Problem, requestId: string): Record<string, unknown> {
  const { status, title, next } = PROBLEMS[problem.code]
  return {
    type: `urn:plumbline:problem:${problem.code}`,
    title,
    status,
    code: problem.code,
    detail: problem.message,
    next,
    instance: `urn:plumbline:request:${requestId}`,
    ...problem.extra,
  }
}

export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  const { status } = PROBLEMS[problem.code]
  if (status === 401) reply.header('www-authenticate', 'Bearer realm="plumbline"')
  if (status === 503) reply.header('retry-after', String(RETRY_AFTER_S))
  return reply
    .code(status)
    .type('application/problem+json; charset=utf-8')
    .serializer(JSON.stringify)
    .send(problemBody(problem, reply.request.id))
}

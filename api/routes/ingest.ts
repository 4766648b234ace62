import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { z } from 'zod'
import { IngestError } from '../../ingest/ingest-error.ts'
import { readRecords } from '../../ingest/reader.ts'
import { type Intake, ingestInput } from '../intake.ts'
import { type BatchCounts, newCounts } from '../pipeline.ts'
import { Problem } from '../problem.ts'
import type { ServerParts } from '../server.ts'
import { parseQuery } from './query.ts'

const DEFAULT_MAX_BODY_BYTES = 256 * 1024 * 1024
/** One record or one document, which has to be in memory as a whole. */
const MAX_DOCUMENT_BYTES = 64 * 1024 * 1024
/** What is still read of a body that was refused, so that the client is listening when the answer comes. */
const MAX_DRAINED_BYTES = 8 * 1024 * 1024
const DRAIN_MS = 2000
const AUTO = 'auto'
const GZIP_FAULTS = ['truncated-gzip', 'corrupt-gzip', 'trailing-garbage'] as const

const ingestQuery = z.strictObject({
  /** Cluster, host or realm of records that do not say. */
  tenant: z.string().max(256).default(''),
})

const reasons = z.record(z.string(), z.number().int())
/** What became of the records: `read = scored + duplicate + Σ filtered + Σ dead`. */
export const countsAnswer = z.object({
  read: z.number().int(),
  scored: z.number().int(),
  duplicate: z.number().int(),
  filtered: reasons,
  dead: reasons,
})

/** POST /v1/ingest/:source: logs in, answered once they are durable. `auto` recognises each record. */
export function ingestRoutes(app: FastifyInstance, parts: ServerParts & { readonly intake: Intake }): void {
  const { engine, intake } = parts
  const maxBodyBytes = parts.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES
  app.post<{ Params: { source: string } }>('/v1/ingest/:source', async (request, reply) => {
    const { tenant } = parseQuery(ingestQuery, request.query)
    const { source: id } = request.params
    const source = engine.registry.byId(id)
    if (source === undefined && id !== AUTO)
      return refuse(reply, request.raw, new Problem('unknown-source', 'No source has this id.'))
    const encoding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase()
    if (!['identity', 'gzip', 'x-gzip'].includes(encoding))
      return refuse(reply, request.raw, new Problem('unsupported-encoding', 'Neither plain nor gzip.'))
    if (Number(request.headers['content-length'] ?? 0) > maxBodyBytes)
      return refuse(reply, request.raw, tooLarge(maxBodyBytes))

    const counts = newCounts()
    const leave = await intake.admit()
    try {
      const input = readRecords(bodyOf(request.raw, request.body, maxBodyBytes), {
        registry: engine.registry,
        source,
        tenant,
        arrival: Date.now(),
        origin: `http/${request.id}`,
        maxLineBytes: Math.min(maxBodyBytes, MAX_DOCUMENT_BYTES),
        maxDocumentBytes: Math.min(maxBodyBytes, MAX_DOCUMENT_BYTES),
        maxInputBytes: maxBodyBytes,
      })
      await ingestInput(intake, input, counts)
    } catch (error) {
      // Gone: there is nobody to answer, and what came whole before is stored.
      if (request.raw.destroyed && !request.raw.complete) return reply.hijack()
      return refuse(reply, request.raw, bodyProblem(error, counts, maxBodyBytes))
    } finally {
      leave()
    }
    const fault = GZIP_FAULTS.find((reason) => counts.dead.has(reason))
    if (fault !== undefined)
      throw new Problem('damaged-gzip', `Reading stopped: ${fault}.`, { extra: { counts: answerOf(counts) } })
    return answerOf(counts)
  })
}

function answerOf(counts: BatchCounts): z.infer<typeof countsAnswer> {
  return countsAnswer.parse({
    ...counts,
    filtered: Object.fromEntries(counts.filtered),
    dead: Object.fromEntries(counts.dead),
  })
}

const tooLarge = (maxBodyBytes: number, extra: Readonly<Record<string, unknown>> = {}): Problem =>
  new Problem('body-too-large', `At most ${maxBodyBytes} bytes, uncompressed.`, { extra })

/** What stopped the reading, told with the counts of what is stored; not ours: rethrown as it is. */
function bodyProblem(error: unknown, counts: BatchCounts, maxBodyBytes: number): unknown {
  if (!(error instanceof IngestError)) return error
  const extra = { counts: answerOf(counts) }
  if (error.code === 'input-too-large') return tooLarge(maxBodyBytes, extra)
  return new Problem('unreadable-body', error.message, { extra })
}

/** The bytes as they come. Leaving early must not close the connection, because an answer is due. */
async function* bodyOf(raw: IncomingMessage, body: unknown, maxBytes: number): AsyncGenerator<Buffer> {
  // No content type, no parser: then the body is the request itself. `inject` of tests gives other streams.
  const stream = body instanceof Readable ? body : raw
  let bytes = 0
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    if (!Buffer.isBuffer(chunk)) throw new TypeError('The body is not bytes.')
    bytes += chunk.length
    // Of compressed bytes: empty gzip members go on for ever without a byte of output.
    if (bytes > maxBytes) throw new IngestError('input-too-large', `more than ${maxBytes} bytes of input`)
    yield chunk
  }
}

/** Answers a request whose body is not read to its end. */
async function refuse(reply: FastifyReply, raw: IncomingMessage, problem: unknown): Promise<never> {
  reply.header('connection', 'close')
  await drain(raw)
  throw problem
}

/** Reads and forgets some of the body: a client that is still writing when the connection closes never sees the answer. */
async function drain(raw: IncomingMessage): Promise<void> {
  if (raw.complete || raw.destroyed || raw.readableEnded) return
  await new Promise<void>((resolve) => {
    let bytes = 0
    const end = (): void => {
      clearTimeout(timer)
      raw.off('data', count).off('end', end).off('close', end).off('error', end)
      resolve()
    }
    const count = (chunk: Buffer): void => {
      bytes += chunk.length
      if (bytes > MAX_DRAINED_BYTES) end()
    }
    const timer = setTimeout(end, DRAIN_MS)
    raw.on('data', count).on('end', end).on('close', end).on('error', end)
    raw.resume()
  })
}

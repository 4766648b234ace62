import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import {
  ndjson,
  roleArn,
  START,
  type TestService,
  type TestServiceOptions,
  tampering,
  testService,
  trail,
  trails,
} from '../support/service.ts'
import { type StoreFolder, storeFolder } from '../support/store.ts'

const TOKEN = '0123456789abcdef0123456789abcdef'
let folder: StoreFolder
let service: TestService
beforeAll(() => {
  folder = storeFolder()
})
afterAll(() => folder.remove())
afterEach(() => service.stop())

async function start(options: TestServiceOptions = {}): Promise<TestService> {
  service = await testService(await folder.open(), options)
  return service
}

const counted = z.object({
  read: z.number(),
  scored: z.number(),
  duplicate: z.number(),
  filtered: z.record(z.string(), z.number()),
  dead: z.record(z.string(), z.number()),
})
const problem = z.looseObject({
  type: z.string(),
  title: z.string(),
  status: z.number(),
  code: z.string(),
  detail: z.string(),
  next: z.string().min(1),
  instance: z.string(),
  counts: counted.optional(),
})

const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((a, b) => a + b, 0)

async function post(
  body: string | Buffer,
  options: { path?: string; headers?: Record<string, string> } = {},
) {
  const { path = '/v1/ingest/auto', headers = {} } = options
  const answer = await service.app.inject({ method: 'POST', url: path, payload: body, headers })
  return { status: answer.statusCode, headers: answer.headers, body: answer.json() }
}

async function ingested(body: string | Buffer, options: Parameters<typeof post>[1] = {}) {
  const { status, body: answer } = await post(body, options)
  expect(status, JSON.stringify(answer)).toBe(200)
  const counts = counted.parse(answer)
  expect(counts.scored + counts.duplicate + sum(counts.filtered) + sum(counts.dead)).toBe(counts.read)
  return counts
}

async function refused(answer: Promise<{ status: number; headers: object; body: unknown }>, code: string) {
  const { status, headers, body } = await answer
  expect(headers).toMatchObject({ 'content-type': 'application/problem+json; charset=utf-8' })
  const told = problem.parse(body)
  expect([told.code, told.status]).toEqual([code, status])
  expect(JSON.stringify(body)).not.toMatch(/\bat .*\.[tj]s:\d/)
  return told
}

async function get(url: string, headers: Record<string, string> = {}) {
  const answer = await service.app.inject({ method: 'GET', url, headers })
  return { status: answer.statusCode, headers: answer.headers, body: answer.json() }
}

describe('POST /v1/ingest', () => {
  it('answers with counts that add up once records are stored; what comes again is duplicate', async () => {
    await start()
    const body = `${ndjson(trails('a', 5))}${JSON.stringify({ eventVersion: '1.09', eventCategory: 'Insight', eventType: 'AwsCloudTrailInsight', eventSource: 's3.amazonaws.com', eventName: 'x', eventTime: '2026-01-05T09:00:00Z' })}\nno log at all\n{"a":1}\n`
    const first = await ingested(body)
    expect(first).toEqual({
      read: 8,
      scored: 5,
      duplicate: 0,
      filtered: { insight: 1 },
      dead: { 'not-json': 1, unrecognised: 1 },
    })
    expect((await service.engine.store.counts()).activity).toBe(5)
    expect(await ingested(body)).toMatchObject({ scored: 0, duplicate: 5 })
    const page = service.metrics.text({ now: 0, identities: 0, queuedRecords: 0, ready: true })
    expect(page).toContain('plumbline_records_total{outcome="scored",reason=""} 5\n')
    expect(page).toContain('plumbline_records_total{outcome="duplicate",reason=""} 5\n')
    expect(page).toContain('plumbline_conservation_violations_total 0\n')
  })

  it('reads documents and gzip, by header or by its bytes, under any content type or none', async () => {
    await start()
    const document = JSON.stringify({ Records: trails('doc', 3) }, null, 2)
    expect((await ingested(document, { headers: { 'content-type': 'application/json' } })).scored).toBe(3)
    const zipped = gzipSync(ndjson(trails('zip', 4)))
    const encoded = { headers: { 'content-encoding': 'gzip', 'content-type': 'application/x-ndjson' } }
    expect((await ingested(zipped, encoded)).scored).toBe(4)
    const raw = { headers: { 'content-type': 'application/x-www-form-urlencoded' } }
    expect((await ingested(gzipSync(ndjson(trails('raw', 2))), raw)).scored).toBe(2)
    expect((await ingested('')).read).toBe(0)
  })

  it('asks only the named source', async () => {
    await start()
    const body = ndjson(trails('a', 2))
    expect((await ingested(body, { path: '/v1/ingest/cloudtrail' })).scored).toBe(2)
    expect(await ingested(body, { path: '/v1/ingest/okta' })).toMatchObject({ scored: 0, read: 2 })
    await refused(post(body, { path: '/v1/ingest/nonsense' }), 'unknown-source')
    await refused(post(body, { path: '/v1/ingest/__proto__' }), 'unknown-source')
  })

  it('stores what came before a cut in the gzip data, and says so', async () => {
    await start()
    const records = trails('cut', 400)
    const whole = gzipSync(ndjson(records), { level: 0 })
    const told = await refused(post(whole.subarray(0, whole.length / 2)), 'damaged-gzip')
    const scored = told.counts?.scored ?? 0
    expect(scored).toBeGreaterThan(100)
    expect(scored).toBeLessThan(400)
    expect(told.counts?.dead).toEqual({ 'truncated-gzip': 1 })
    expect(await ingested(whole)).toMatchObject({ read: 400, duplicate: scored, scored: 400 - scored })
  })

  it('refuses what is too large before and after unpacking, keeping what came before', async () => {
    await start({ maxBodyBytes: 20_000 })
    await refused(post('x'.repeat(20_001)), 'body-too-large')
    const bomb = gzipSync(Buffer.alloc(50_000_000, '\n'))
    expect(bomb.length).toBeGreaterThan(20_000)
    await refused(post(gzipSync(Buffer.alloc(5_000_000, '\n'))), 'body-too-large')
    const empty = Buffer.concat(Array.from({ length: 1500 }, () => gzipSync('')))
    await refused(post(empty), 'body-too-large')
    expect((await ingested(ndjson(trails('small', 3)))).scored).toBe(3)
  })

  it('answers a client that goes on sending beyond the limit', async () => {
    await start({ maxBodyBytes: 100_000 })
    const address = await service.app.listen({ host: '127.0.0.1', port: 0 })
    const line = ndjson([trail('one')])
    const answer = await new Promise<{ status: number; text: string }>((resolve, reject) => {
      const client = httpRequest(`${address}/v1/ingest/auto`, { method: 'POST' }, (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (part: string) => {
          text += part
        })
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
      })
      client.on('error', reject)
      // Chunked: the length is not known beforehand.
      for (let at = 0; at < 2000; at++) client.write(line)
      client.end()
    })
    expect(answer.status).toBe(413)
    const told = problem.parse(JSON.parse(answer.text))
    expect(told.counts).toMatchObject({ scored: 1 })
    expect(told.counts?.duplicate).toBeGreaterThan(1)
  })

  it('refuses what is no text, unknown encodings, unknown parameters', async () => {
    await start()
    await refused(post(Buffer.from([0, 1, 2, 0, 4])), 'unreadable-body')
    await refused(post(Buffer.from('\ufeffabc\n', 'utf16le')), 'unreadable-body')
    await refused(post('{}', { headers: { 'content-encoding': 'br' } }), 'unsupported-encoding')
    const told = await refused(post('{}', { path: '/v1/ingest/auto?tennant=x' }), 'invalid-query')
    expect(told.detail).toContain('tennant')
  })

  it('keeps complete records of a client that hangs up, and none of the half one', async () => {
    await start()
    const address = new URL(await service.app.listen({ host: '127.0.0.1', port: 0 }))
    const arrived = once(service.app.server, 'request')
    const socket = connect(Number(address.port), '127.0.0.1')
    const whole = ndjson(trails('gone', 3))
    socket.write(
      `POST /v1/ingest/auto HTTP/1.1\r\nhost: ${address.host}\r\ncontent-length: 100000\r\n\r\n${whole}${whole.slice(0, 50)}`,
    )
    await arrived
    socket.destroy()
    await expect.poll(async () => (await service.engine.store.counts()).activity, { timeout: 5000 }).toBe(3)
    expect((await service.engine.store.counts()).dead_letter).toBe(0)
  })

  it('says 503 when the store is down, loses nothing, and is ready again afterwards', async () => {
    await start({ retryMs: 20 })
    await ingested(ndjson(trails('before', 3)))
    service.breakStore()
    const body = ndjson(trails('during', 4))
    const told = await post(body)
    expect(told.headers['retry-after']).toBe('5')
    await refused(Promise.resolve(told), 'store-unavailable')
    const ready = await get('/ready')
    expect([ready.status, ready.body.ready]).toEqual([503, false])
    expect(ready.body.reasons).toContain('last-write-failed')
    expect((await get('/health')).status).toBe(200)
    service.mendStore()
    await expect.poll(async () => (await get('/ready')).status).toBe(200)
    const again = await ingested(body)
    expect(again.scored + again.duplicate).toBe(4)
    expect((await service.engine.store.counts()).activity).toBe(7)
    expect(await service.engine.store.checkRebuild()).toEqual([])
  })

  it('refuses more requests at a time than it can hold', async () => {
    await start({ running: 1, waiting: 0 })
    const leave = await service.intake.admit()
    const told = await refused(post('{}'), 'overloaded')
    expect(told.status).toBe(503)
    leave()
    await ingested(ndjson([trail('a')]))
  })
})

describe('reading back', () => {
  it('lists alerts newest first, page by page, filters them, and shows one with its reasons', async () => {
    await start()
    const day = 86_400_000
    await ingested(ndjson([0, 1, 2].map((n) => tampering(`t${n}`, START + n * day))))
    expect(service.published).toHaveLength(3)
    const all = await get('/v1/alerts')
    expect(all.body.items).toHaveLength(3)
    expect(all.body.next).toBeUndefined()
    const uids = all.body.items.map((i: { uid: string }) => i.uid)
    const [newest] = all.body.items
    expect(newest.finding).toMatchObject({
      class_uid: 2004,
      severity_id: 5,
      finding_info: { uid: newest.uid },
    })
    expect(newest.explanation.families['permission use'].unusual).toBe(true)
    expect(newest.finding.explanation).toBeUndefined()

    const seen: string[] = []
    let next: string | undefined = ''
    while (next !== undefined) {
      const page = await get(`/v1/alerts?limit=1${next === '' ? '' : `&cursor=${next}`}`)
      seen.push(...page.body.items.map((i: { uid: string }) => i.uid))
      next = page.body.next
      expect(seen.length).toBeLessThan(5)
    }
    expect(seen).toEqual(uids)

    const who = encodeURIComponent(roleArn('intruder'))
    expect((await get(`/v1/alerts?identity=${who}&min_severity=critical`)).body.items).toHaveLength(3)
    expect((await get('/v1/alerts?identity=nobody')).body.items).toEqual([])
    expect((await get(`/v1/alerts/${uids[0]}`)).body).toEqual(newest)
    await refused(get('/v1/alerts/00000000-0000-0000-0000-000000000000'), 'unknown-alert')
    const metrics = await service.app.inject('/metrics')
    expect(metrics.body).toContain('plumbline_alerts_total{change="create",severity="critical"} 3\n')
    expect(metrics.body).toContain('plumbline_identities 1\n')
  })

  it('shows an identity, however its id is encoded in the path', async () => {
    await start()
    const id = roleArn('batch%2Fodd +é')
    await ingested(ndjson([...trails('a', 30, { role: 'batch%2Fodd +é' }), ...trails('b', 12)]))
    const { status, body } = await get(`/v1/identities/${encodeURIComponent(id)}`)
    expect(status, JSON.stringify(body)).toBe(200)
    expect(body.identity).toMatchObject({ id, events: 30, first_seen: START, kind: 'role' })
    const actions = body.baseline.find((b: { feature: string }) => b.feature === 'action')
    expect(actions).toMatchObject({
      distinct: 1,
      values: [{ value: 's3.amazonaws.com:ListBuckets', hours: 30 }],
    })
    expect(body.hours_of_week).toHaveLength(7)
    // Closed hours: an hour stays open for late events.
    expect(body.hours_of_week.flat().reduce((a: number, b: number) => a + b, 0)).toBeGreaterThan(24)
    expect(body.hours_of_week[0][9]).toBe(1)
    expect(body.alerts).toEqual({ items: [] })
    // Slashes and colons need no encoding.
    expect((await get(`/v1/identities/${roleArn()}`)).body.identity.id).toBe(roleArn())
    await refused(get('/v1/identities/nobody/at/all'), 'unknown-identity')
    const found = await get('/v1/identities?text=READER')
    expect(found.body.items.map((i: { id: string }) => i.id)).toEqual([roleArn()])
    const first = await get('/v1/identities?limit=1')
    const second = await get(`/v1/identities?limit=1&cursor=${first.body.next}`)
    expect([first, second].map((p) => p.body.items[0].id)).toEqual([id, roleArn()].sort())
    expect(second.body.next).toBeUndefined()
  })

  it('shows the catalogues', async () => {
    await start()
    const sources = (await get('/v1/sources')).body.items
    expect(sources.map((s: { id: string }) => s.id)).toContain('cloudtrail')
    expect(sources[0].samples).toBeUndefined()
    const detectors = (await get('/v1/detectors')).body.items
    expect(detectors.map((d: { id: string }) => d.id)).toContain('audit-trail-tampering')
  })

  it('refuses questions that are wrong instead of guessing', async () => {
    await start()
    for (const [url, code] of [
      ['/v1/alerts?limit=0', 'invalid-query'],
      ['/v1/alerts?limit=201', 'invalid-query'],
      ['/v1/alerts?limit=1&limit=2', 'invalid-query'],
      ['/v1/alerts?min_severity=bad', 'invalid-query'],
      ['/v1/alerts?identity=', 'invalid-query'],
      ['/v1/alerts?severity=high', 'invalid-query'],
      ['/v1/alerts?__proto__=x', 'invalid-query'],
      ['/v1/alerts?cursor=%22', 'invalid-cursor'],
      ['/v1/alerts?cursor=bm9uc2Vuc2U', 'invalid-cursor'],
      ['/v1/alerts/%zz', 'invalid-request'],
      ['/v1/identities?cursor=MQ', 'invalid-cursor'],
      ['/v1/sources?x=1', 'invalid-query'],
      ['/v2/alerts', 'unknown-route'],
      ['/', 'unknown-route'],
    ] as const)
      await refused(get(url), code)
  })
})

describe('who may call', () => {
  it('asks for the token everywhere but on health and readiness', async () => {
    await start({ token: TOKEN })
    const right = { authorization: `Bearer ${TOKEN}` }
    for (const url of ['/v1/alerts', '/%76%31/alerts', '/v1/sources', '/metrics', '/v1/none', '/']) {
      const { headers } = await get(url)
      expect(headers['www-authenticate']).toBe('Bearer realm="plumbline"')
      await refused(get(url), 'unauthenticated')
      await refused(get(url, { authorization: 'Bearer guess' }), 'wrong-token')
    }
    await refused(post('{}'), 'unauthenticated')
    for (const url of ['/health', '/ready']) expect((await get(url)).status).toBe(200)
    expect((await get('/v1/alerts', { ...right, host: 'plumbline.example' })).status).toBe(200)
  })

  it('refuses web pages and rebound names when there is no token', async () => {
    await start()
    await refused(get('/v1/alerts', { host: 'evil.example' }), 'foreign-host')
    const told = refused(post('{}', { headers: { origin: 'http://evil.example' } }), 'foreign-origin')
    expect((await told).status).toBe(403)
    expect((await service.engine.store.counts()).dead_letter).toBe(0)
  })

  it('sets headers that keep answers from being used elsewhere, allows no other site, and echoes the request id', async () => {
    await start()
    const answer = await get('/health', { 'x-request-id': 'mine-1' })
    expect(answer.headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
      'x-request-id': 'mine-1',
    })
    expect(answer.headers).not.toHaveProperty('access-control-allow-origin')
    const odd = await get('/health', { 'x-request-id': 'a b\u00e9' })
    expect(odd.headers['x-request-id']).toMatch(/^[\da-f-]{36}$/)
    const options = await service.app.inject({ method: 'OPTIONS', url: '/v1/alerts' })
    expect(options.statusCode).toBe(404)
  })

  it('repeats no dead letter when a request is repeated under its id', async () => {
    await start()
    const headers = { 'x-request-id': 'upload-7' }
    await ingested('garbage\n', { headers })
    await ingested('garbage\n', { headers })
    const letters = await service.engine.store.analyst.deadLetters({ limit: 10 })
    expect(letters.items.map((l) => l.origin)).toEqual(['http/upload-7'])
  })

  it('answers headers that are too large, and what is not HTTP', async () => {
    await start()
    const { port } = new URL(await service.app.listen({ host: '127.0.0.1', port: 0 }))
    const raw = (bytes: string): Promise<string> =>
      new Promise((resolve) => {
        const socket = connect(Number(port), '127.0.0.1')
        let text = ''
        socket.on('data', (part) => {
          text += part.toString()
        })
        socket.on('close', () => resolve(text))
        socket.on('error', () => {})
        socket.write(bytes)
      })
    expect(await raw(`GET /health HTTP/1.1\r\nhost: localhost\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`)).toMatch(
      /^HTTP\/1\.1 431 .*"code":"headers-too-large"/s,
    )
    expect(await raw('nonsense\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 .*"code":"invalid-request"/s)
  })
})

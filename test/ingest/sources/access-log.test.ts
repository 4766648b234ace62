import { describe, expect, it } from 'vitest'
import { source } from '../../../ingest/sources/access-log.ts'
import { hasData, realLines } from './auth-reading.ts'
import { draftBy, readBy } from './gateway-reading.ts'

const line = ({
  user = 'svc',
  request = 'GET /v1/orders/7 HTTP/1.1',
  status = '200 512',
  agent = 'svc/1',
  rest = '',
}): string =>
  `203.0.113.9 - ${user} [02/Mar/2026:08:15:30 +0100] "${request}" ${status} "-" "${agent}"${rest}`

describe('the combined format', () => {
  it('is read field by field', () =>
    expect(draftBy(source, line({}), 'web-1')).toMatchObject({
      eventId: 'hash-of-the-record',
      time: Date.UTC(2026, 2, 2, 7, 15, 30),
      identity: { id: 'access-log:web-1:user:svc', tenant: 'web-1', human: 'unknown' },
      action: 'GET /v1/orders/{id}',
      service: 'web-1',
      outcome: 'success',
      origin: '203.0.113.9',
      userAgent: 'svc/1',
      bytesOut: 512,
    }))

  it.each([
    ['a request id at the end', line({ rest: ' 5f1c9f0e7b614a11' }), { eventId: '5f1c9f0e7b614a11' }],
    ['no request id', line({ rest: ' -' }), { eventId: 'hash-of-the-record' }],
    ['no bytes', line({ status: '304 -' }), { bytesOut: 0, outcome: 'success' }],
    ['a user of two words', line({ user: 'John Doe' }), { identity: { id: 'access-log::user:John Doe' } }],
    ['escaped quotes (Apache)', line({ request: 'GET /a\\"b HTTP/1.1' }), { action: 'GET /a\\"b' }],
    ['escaped quotes (nginx)', line({ request: 'GET /a\\x22b HTTP/1.1' }), { action: 'GET /a\\x22b' }],
    ['a request that is none', line({ request: '\\x16\\x03\\x01', status: '400 0' }), { action: 'OTHER /' }],
    ['too many', line({ status: '429 0' }), { outcome: 'failure', errorCode: '429' }],
    ['refused', line({ status: '403 0' }), { outcome: 'denied', errorCode: '403' }],
  ])('%s', (_name, text, wanted) => expect(draftBy(source, text)).toMatchObject(wanted))

  it('without the last two fields it is the common format', () =>
    expect(
      draftBy(source, '203.0.113.9 - svc [02/Mar/2026:08:15:30 +0000] "GET / HTTP/1.0" 200 1'),
    ).toMatchObject({ identity: { id: 'access-log::user:svc' }, action: 'GET /' }))

  it.each(['-', '""'])('the user %s is nobody', (user) =>
    expect(readBy(source, line({ user }))).toEqual({ outcome: 'filtered', reason: 'no-identity' }),
  )

  it('the name of a failed login is nobody’s: it would create identities at will', () => {
    for (const user of ['root', 'svc', 'x'.repeat(500)])
      expect(readBy(source, line({ user, status: '401 0' }))).toEqual({
        outcome: 'filtered',
        reason: 'no-identity',
      })
  })

  it.each([
    'a [b',
    'a [02/Mar/2020:00:00:00 +0000] b',
    '[x]',
    '] [',
    'a [b] \\"c',
    'a [b] \\x22c',
    `x${' ['.repeat(2000)}`,
  ])('the user name %j moves neither time nor request', (user) => {
    const draft = draftBy(source, line({ user }))
    expect(draft.identity.id).toBe(`access-log::user:${user}`)
    expect(draft).toMatchObject({ time: Date.UTC(2026, 2, 2, 7, 15, 30), action: 'GET /v1/orders/{id}' })
  })

  it('a browser on a named user proves no person: a thief of a robot’s password sends any agent', () => {
    const agent = 'Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0'
    expect(draftBy(source, line({ agent })).identity.human).toBe('unknown')
    expect(draftBy(source, line({ agent })).identity).toEqual(draftBy(source, line({})).identity)
  })

  it('a time that is none is a dead letter', () =>
    expect(readBy(source, line({}).replace('02/Mar', '31/Feb'))).toMatchObject({ reason: 'bad-time' }))
})

describe('lines of other formats', () => {
  it.each([
    ['no time', '203.0.113.9 - svc "GET / HTTP/1.1" 200 1'],
    ['no user', '203.0.113.9 [02/Mar/2026:08:15:30 +0000] "GET / HTTP/1.1" 200 1'],
    ['no status', '203.0.113.9 - svc [02/Mar/2026:08:15:30 +0000] "GET / HTTP/1.1"'],
    ['an open quote', '203.0.113.9 - svc [02/Mar/2026:08:15:30 +0000] "GET / HTTP/1.1 200 1'],
    ['syslog', 'Mar  2 08:15:30 web-1 sshd[12]: Accepted publickey for svc from 203.0.113.9 port 22'],
  ])('%s', (_name, text) => expect(source.parseLine?.(text)).toBeNull())

  it('hostile ones cost linear time', () => {
    const head = '203.0.113.9 - svc [02/Mar/2026:08:15:30 +0000] "'
    const started = performance.now()
    for (const piece of ['a ', ' [', '] "', '"', '\\', '\\"', ' "', ' ""', '[', '0'])
      for (const before of ['', head, `${head}GET / HTTP/1.1" 200 1`])
        source.parseLine?.(before + piece.repeat(500_000))
    expect(performance.now() - started).toBeLessThan(5000)
  })
})

const FOLDER = 'gateway-elastic-apache'
describe.skipIf(!hasData(FOLDER))('a real Apache log', () => {
  it('is read whole: every line is somebody unknown, none is dead', () => {
    const counts = new Map<string, number>()
    for (const text of realLines(`${FOLDER}/access.log.gz`)) {
      const record = source.parseLine?.(text)
      const verdict = record === undefined || record === null ? undefined : readBy(source, record)
      const key =
        verdict === undefined
          ? 'unread'
          : verdict.outcome === 'accepted'
            ? 'accepted'
            : `${verdict.outcome} ${verdict.reason}`
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
    expect(Object.fromEntries(counts)).toEqual({ 'filtered no-identity': 5392 })
  })
})

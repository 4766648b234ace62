import { z } from 'zod'
import { parseCombinedLine } from '../combined-line.ts'
import { httpAccessLevel, httpErrorCode, httpMethod, httpOutcome, routeFamily } from '../http-action.ts'
import { accepted, dead, filtered } from '../outcome.ts'
import { templatePath } from '../route-template.ts'
import { defineSource } from '../source.ts'
import { parseTime } from '../time.ts'

const schema = z.object({
  address: z.string(),
  user: z.string(),
  time: z.string(),
  request: z.string(),
  status: z.number(),
  bytes: z.number(),
  userAgent: z.string(),
  requestId: z.string(),
})

/** nginx and Apache access logs. Blind to who calls unless the server authenticates. */
export const source = defineSource({
  id: 'access-log',
  title: 'nginx or Apache access log (combined format)',
  kind: 'gateway',
  sees: 'Requests of users that the web server itself authenticated.',
  misses:
    'Everybody else: lines without an authenticated user, failed logins (401) among them, are counted as no-identity.',
  needs: 'Combined format with $remote_user; a request id at the end of the line is used when there is one.',
  documentation: 'https://httpd.apache.org/docs/current/logs.html#combined',
  format: 'text',
  recognises: () => false,
  parseLine: parseCombinedLine,
  schema,
  normalise(record, context) {
    const time = parseTime(record.time)
    if (time === undefined) return dead('normalise', 'bad-time', 'the time in brackets is none')
    // Apache writes an empty user name as two quotes.
    if (record.user === '-' || record.user === '' || record.user === '""') return filtered('no-identity')
    // The name of a failed login is a claim: it would create identities at will, or put refusals on somebody's account.
    if (record.status === 401) return filtered('no-identity')
    const [verb = '', target = ''] = record.request.split(' ')
    const method = httpMethod(verb)
    const template = templatePath(target)
    const requestId = record.requestId === '-' ? '' : record.requestId
    return accepted({
      eventId: requestId || context.recordHash(),
      time,
      class: 'http_activity',
      identity: {
        id: `access-log:${context.tenant}:user:${record.user}`,
        kind: 'consumer',
        provider: 'access-log',
        tenant: context.tenant,
        human: 'unknown',
        humanReason: 'the log does not say',
      },
      action: `${method} ${template}`,
      service: context.tenant || 'web',
      accessLevel: httpAccessLevel(method),
      outcome: httpOutcome(record.status),
      errorCode: httpErrorCode(record.status),
      origin: record.address,
      resourceClass: routeFamily(template),
      authMethod: 'password',
      userAgent: record.userAgent === '-' ? undefined : record.userAgent,
      requestId,
      bytesOut: record.bytes,
    })
  },
  samples: [
    {
      name: 'an authenticated client, Apache',
      record:
        '203.0.113.9 - backup-bot [02/Mar/2026:08:15:30 +0100] "GET /exports/2026-03-01/part-17.csv HTTP/1.1" 200 5120 "-" "curl/8.5.0"',
      expect: {
        outcome: 'accepted',
        draft: {
          'identity.id': 'access-log::user:backup-bot',
          'identity.human': 'unknown',
          action: 'GET /exports/{id}/part-17.csv',
          time: Date.UTC(2026, 2, 2, 7, 15, 30),
          bytesOut: 5120,
        },
      },
    },
    {
      name: 'a request id at the end of the line, nginx; refused',
      record:
        '2001:db8::7 - svc [02/Mar/2026:08:15:30 +0000] "POST /v1/orders HTTP/2.0" 403 0 "-" "svc/1" 5f1c9f0e7b614a11',
      expect: {
        outcome: 'accepted',
        draft: {
          eventId: '5f1c9f0e7b614a11',
          outcome: 'denied',
          errorCode: '403',
          action: 'POST /v1/orders',
        },
      },
    },
    {
      name: 'a browser, or what says so: the agent is the caller’s own claim',
      record:
        '203.0.113.9 - alice [02/Mar/2026:08:15:30 +0000] "GET / HTTP/1.1" 200 12 "-" "Mozilla/5.0 (X11) Firefox/130.0"',
      expect: { outcome: 'accepted', draft: { 'identity.human': 'unknown', action: 'GET /' } },
    },
    {
      name: 'a failed login: the name was claimed, not proven',
      record: '203.0.113.9 - root [02/Mar/2026:08:15:30 +0000] "GET / HTTP/1.1" 401 12 "-" "curl/8.5.0"',
      expect: { outcome: 'filtered', reason: 'no-identity' },
    },
    {
      name: 'nobody',
      record: '203.0.113.9 - - [02/Mar/2026:08:15:30 +0000] "GET /a\\"b HTTP/1.1" 404 12 "-" "x"',
      expect: { outcome: 'filtered', reason: 'no-identity' },
    },
  ],
})

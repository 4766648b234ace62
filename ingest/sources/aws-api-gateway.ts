import { z } from 'zod'
import type { Identity } from '../activity.ts'
import { httpAccessLevel, httpErrorCode, httpMethod, httpOutcome, routeFamily } from '../http-action.ts'
import { accepted, dead, filtered } from '../outcome.ts'
import { templatePath } from '../route-template.ts'
import { defineSource, type JsonObject } from '../source.ts'
import { parseTime } from '../time.ts'

/** Our published `$context` template writes strings only, `-` when absent; other templates write numbers: both are taken. */
const text = z.union([z.string(), z.number()]).nullish()

const schema = z.object({
  requestId: text,
  ip: text,
  apiKeyId: text,
  principalId: text,
  requestTimeEpoch: text,
  httpMethod: text,
  resourcePath: text,
  path: text,
  status: text,
  stage: text,
  apiId: text,
  userAgent: text,
  caller: text,
  user: text,
  responseLength: text,
  errorMessage: text,
  domainName: text,
})
type Record = z.infer<typeof schema>

const time = '1772439330123'
const sample = (rest: JsonObject): JsonObject => ({
  requestId: 'c6af9ac6-7b61-11e6-9a41-93e8deadbeef',
  ip: '203.0.113.9',
  apiKeyId: 'k3y1d',
  principalId: '-',
  requestTimeEpoch: time,
  httpMethod: 'GET',
  resourcePath: '/orders/{orderId}',
  path: '/prod/orders/77',
  status: '200',
  stage: 'prod',
  apiId: 'a1b2c3',
  userAgent: 'partner-client/2.1',
  caller: '-',
  user: '-',
  responseLength: '512',
  errorMessage: '-',
  ...rest,
})

/** Access log of Amazon API Gateway. Blind to bodies, and to methods that need no key. */
export const source = defineSource<Record>({
  id: 'aws-api-gateway',
  title: 'Amazon API Gateway access log',
  kind: 'gateway',
  sees: 'Which API key or authorised principal called which route, from where and with what result.',
  misses: 'Request bodies; callers of methods that need neither key nor authorizer.',
  needs:
    'An access log in JSON with requestId, requestTimeEpoch, apiKeyId or principalId, httpMethod, resourcePath, status, ip.',
  documentation: 'https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html',
  format: 'json',
  recognises: (record) =>
    'requestId' in record &&
    'requestTimeEpoch' in record &&
    'httpMethod' in record &&
    ('resourcePath' in record || 'apiId' in record),
  schema,
  normalise(record, context) {
    const at = value(record.requestTimeEpoch)
    const parsed = at === '' ? undefined : parseTime(at)
    if (parsed === undefined) return dead('normalise', 'bad-time', 'requestTimeEpoch is no time')
    const eventId = value(record.requestId)
    if (eventId === '') return dead('normalise', 'no-event-id', 'requestId is missing')
    const apiId = value(record.apiId) || context.tenant
    const identity = identityOf(record, apiId)
    if (identity === null) return filtered('no-identity')
    const method = httpMethod(value(record.httpMethod))
    const own = value(record.resourcePath)
    const template = own !== '' ? own : templatePath(value(record.path))
    const status = Number(value(record.status) || '-1')
    const keyed = value(record.apiKeyId) !== ''
    const stage = value(record.stage)
    return accepted({
      eventId,
      time: parsed,
      class: 'http_activity',
      identity,
      action: `${method} ${template}`,
      service: [apiId, stage].filter((part) => part !== '').join('/') || 'unnamed',
      accessLevel: httpAccessLevel(method),
      outcome: httpOutcome(status),
      errorCode: httpErrorCode(status),
      origin: value(record.ip),
      resourceClass: routeFamily(template),
      credential: keyed ? value(record.apiKeyId) : undefined,
      authMethod: keyed ? 'api-key' : 'authorizer',
      session: sessionOf(record),
      userAgent: value(record.userAgent),
      requestId: eventId,
      bytesOut: bytes(value(record.responseLength)),
    })
  },
  samples: [
    {
      name: 'a partner reads an order with its API key',
      record: sample({}),
      expect: {
        outcome: 'accepted',
        draft: {
          'identity.id': 'aws-api-gateway:a1b2c3:key:k3y1d',
          action: 'GET /orders/{orderId}',
          outcome: 'success',
          credential: 'k3y1d',
          authMethod: 'api-key',
          time: 1_772_439_330_123,
          bytesOut: 512,
        },
      },
    },
    {
      name: 'a principal of an authorizer, refused',
      record: sample({ apiKeyId: '-', principalId: 'svc-billing', status: '403', errorMessage: 'Forbidden' }),
      expect: {
        outcome: 'accepted',
        draft: {
          'identity.id': 'aws-api-gateway:a1b2c3:principal:svc-billing',
          outcome: 'denied',
          errorCode: '403',
        },
      },
    },
    {
      name: 'an IAM caller, route made from the path',
      record: sample({
        apiKeyId: '-',
        caller: 'AROAEXAMPLE:sess',
        resourcePath: '-',
        path: '/prod/orders/12345',
      }),
      expect: {
        outcome: 'accepted',
        draft: {
          'identity.id': 'aws-api-gateway:a1b2c3:caller:AROAEXAMPLE',
          action: 'GET /prod/orders/{id}',
          session: 'sess',
        },
      },
    },
    {
      name: 'nobody',
      record: sample({ apiKeyId: '-' }),
      expect: { outcome: 'filtered', reason: 'no-identity' },
    },
    {
      name: 'no time',
      record: sample({ requestTimeEpoch: '-' }),
      expect: { outcome: 'dead', reason: 'bad-time' },
    },
  ],
})

/** `-` is how a gateway writes "absent". */
function value(field: string | number | null | undefined): string {
  const written = field === null || field === undefined ? '' : String(field)
  return written === '-' ? '' : written
}

function identityOf(record: Record, apiId: string): Identity | null {
  const key = value(record.apiKeyId)
  const principal = value(record.principalId)
  const caller = value(record.user) || value(record.caller)
  const [by, name] =
    key !== ''
      ? ['key', key]
      : principal !== ''
        ? ['principal', principal]
        : // An IAM caller is `role id:session name`; the session is not the identity.
          ['caller', caller.split(':', 1)[0] ?? '']
  if (name === '') return null
  return {
    id: `aws-api-gateway:${apiId}:${by}:${name}`,
    kind: by === 'key' ? 'api-key' : 'client',
    provider: 'aws-api-gateway',
    tenant: apiId,
    human: by === 'key' ? 'no' : 'unknown',
    humanReason: by === 'key' ? 'an API key' : 'the log does not say who is behind it',
  }
}

/** The session name of an IAM caller, whatever else identifies the request. */
function sessionOf(record: Record): string | undefined {
  const caller = value(record.caller) || value(record.user)
  const colon = caller.indexOf(':')
  return colon < 0 ? undefined : caller.slice(colon + 1)
}

function bytes(written: string): number | undefined {
  const count = Number(written)
  return written !== '' && Number.isSafeInteger(count) && count >= 0 ? count : undefined
}

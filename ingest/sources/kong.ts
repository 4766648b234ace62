import { z } from 'zod'
import { httpAccessLevel, httpErrorCode, httpMethod, httpOutcome, routeFamily } from '../http-action.ts'
import { isJsonObject } from '../json-values.ts'
import { accepted, dead, filtered } from '../outcome.ts'
import { templatePath } from '../route-template.ts'
import { defineSource, type JsonObject } from '../source.ts'
import { parseTime } from '../time.ts'

const text = z.string().nullish()
const header = z.union([z.string(), z.array(z.string())]).nullish()
const count = z.union([z.number(), z.string()]).nullish()

const schema = z.object({
  started_at: count,
  client_ip: text,
  kong_node: z.unknown().optional(),
  workspace_name: text,
  consumer: z.object({ id: text, username: text, custom_id: text }).nullish(),
  authenticated_entity: z.object({ id: text }).nullish(),
  service: z.object({ name: text, id: text }).nullish(),
  route: z.object({ name: text, id: text }).nullish(),
  request: z.object({
    id: text,
    method: text,
    uri: text,
    url: text,
    headers: z.object({ 'user-agent': header }).nullish(),
    tls: z.object({ client_verify: text }).nullish(),
  }),
  response: z.object({ status: z.number().nullish(), size: count }).nullish(),
})

const sample = (rest: JsonObject): JsonObject => ({
  latencies: { request: 12, kong: 1, proxy: 11 },
  service: { id: 's1', name: 'orders' },
  route: { id: 'r1', name: 'orders-by-id' },
  request: {
    id: 'f0e1d2c3b4a59687f0e1d2c3b4a59687',
    method: 'GET',
    uri: '/orders/8812',
    url: 'https://api.example.test:8443/orders/8812',
    size: '120',
    headers: { 'user-agent': 'partner/1.4', host: 'api.example.test' },
    tls: { client_verify: 'NONE', version: 'TLSv1.3' },
  },
  response: { status: 200, size: '934' },
  client_ip: '198.51.100.7',
  started_at: 1_772_439_330_123,
  consumer: { id: 'c-1', username: 'acme', custom_id: 'partner-acme' },
  authenticated_entity: { id: 'key-77' },
  ...rest,
})

/** Kong's log serializer (http-log, file-log, kafka-log). Blind to what a plug-in answers before authentication. */
export const source = defineSource({
  id: 'kong',
  title: 'Kong Gateway log',
  kind: 'gateway',
  sees: 'Which consumer used which credential on which route, from where and with what result.',
  misses: 'Requests without a consumer; bodies. The clocks of Kong nodes may differ.',
  needs: 'A log plug-in (http-log, file-log, kafka-log) and an authentication plug-in on the routes.',
  documentation: 'https://developer.konghq.com/gateway/logs/',
  format: 'json',
  recognises: (record) =>
    isJsonObject(record.latencies) &&
    isJsonObject(record.request) &&
    ('client_ip' in record || isJsonObject(record.service)),
  schema,
  normalise(record, context) {
    const { request, consumer } = record
    const time =
      record.started_at === null || record.started_at === undefined ? undefined : parseTime(record.started_at)
    if (time === undefined) return dead('normalise', 'bad-time', 'started_at is no time')
    const name = consumer?.custom_id || consumer?.username || consumer?.id || ''
    if (name === '') return filtered('no-identity')
    const method = httpMethod(request.method ?? '')
    const path = templatePath(request.uri ?? '')
    const route = record.route?.name || path
    const status = record.response?.status ?? -1
    const agent = request.headers?.['user-agent']
    const credential = record.authenticated_entity?.id ?? undefined
    const mtls = request.tls?.client_verify === 'SUCCESS'
    return accepted({
      eventId: request.id || context.recordHash(),
      time,
      class: 'http_activity',
      identity: {
        id: `kong:${record.workspace_name ? `${record.workspace_name}:` : ''}consumer:${name}`,
        kind: 'consumer',
        provider: 'kong',
        tenant: record.workspace_name ?? context.tenant,
        human: 'no',
        humanReason: 'a gateway consumer',
      },
      action: `${method} ${route}`,
      service: record.service?.name || record.service?.id || 'unnamed',
      accessLevel: httpAccessLevel(method),
      outcome: httpOutcome(status),
      errorCode: httpErrorCode(status),
      origin: record.client_ip ?? undefined,
      resourceClass: routeFamily(path),
      credential,
      authMethod: mtls ? 'certificate' : credential === undefined ? undefined : 'api-key',
      userAgent: (Array.isArray(agent) ? agent[0] : agent) ?? undefined,
      requestId: request.id ?? undefined,
      bytesOut: Number(record.response?.size ?? 0) || undefined,
    })
  },
  samples: [
    {
      name: 'a partner reads through a named route',
      record: sample({}),
      expect: {
        outcome: 'accepted',
        draft: {
          'identity.id': 'kong:consumer:partner-acme',
          action: 'GET orders-by-id',
          service: 'orders',
          credential: 'key-77',
          outcome: 'success',
          bytesOut: 934,
        },
      },
    },
    {
      name: 'a route without a name, refused',
      record: sample({
        route: null,
        response: { status: 403, size: 20 },
        consumer: { id: 'c-2', username: 'bot' },
      }),
      expect: {
        outcome: 'accepted',
        draft: {
          'identity.id': 'kong:consumer:bot',
          action: 'GET /orders/{id}',
          outcome: 'denied',
          errorCode: '403',
        },
      },
    },
    {
      name: 'nobody',
      record: sample({ consumer: null }),
      expect: { outcome: 'filtered', reason: 'no-identity' },
    },
    {
      name: 'a status of a wrong type',
      record: sample({ response: { status: 'ok' } }),
      expect: { outcome: 'dead', reason: 'wrong-type' },
    },
  ],
})

import { z } from 'zod'
import { lastCertificate } from '../client-certificate.ts'
import { httpAccessLevel, httpErrorCode, httpMethod, httpOutcome, routeFamily } from '../http-action.ts'
import { accepted, dead, filtered } from '../outcome.ts'
import { templatePath } from '../route-template.ts'
import { defineSource, type JsonObject } from '../source.ts'
import { parseTime } from '../time.ts'

const text = z.union([z.string(), z.number()]).nullish()

const schema = z.object({
  start_time: text,
  request_id: text,
  method: text,
  path: text,
  'x-envoy-origin-path': text,
  response_code: text,
  response_flags: text,
  response_code_details: text,
  authority: text,
  upstream_cluster: text,
  downstream_peer_uri_san: text,
  downstream_remote_address: text,
  x_forwarded_client_cert: text,
  user_agent: text,
  bytes_sent: text,
  jwt_subject: text,
  route_name: text,
})

const sample = (rest: JsonObject): JsonObject => ({
  start_time: '2026-03-02T08:15:30.123Z',
  request_id: '5f1c9f0e-7b61-4a11-9a41-93e8deadbeef',
  method: 'GET',
  path: '/orders/8812?full=1',
  response_code: 200,
  response_flags: '-',
  authority: 'orders.shop.svc',
  upstream_cluster: 'outbound|8080||orders.shop.svc.cluster.local',
  downstream_remote_address: '10.2.3.4:51234',
  x_forwarded_client_cert:
    'By=spiffe://mesh/ns/shop/sa/orders;Hash=9ba61d6425303443c0748a02dd8de688468ed33be74eee6556d90c0149c1309e;Subject="CN=a,O=b";URI=spiffe://mesh/ns/shop/sa/checkout',
  user_agent: 'checkout/1.2',
  bytes_sent: 512,
  ...rest,
})

/**
 * Envoy's JSON access log. The address is the direct peer's: `x_forwarded_for` is written by callers, and which hops may
 * be trusted is not in the record.
 */
export const source = defineSource({
  id: 'envoy',
  title: 'Envoy access log',
  kind: 'gateway',
  sees: 'Which workload (SPIFFE id) or token subject called which route of which upstream, with what result.',
  misses:
    'Callers without a client certificate or mapped token subject; the client behind an untrusted proxy.',
  needs:
    'A JSON access log with start_time, request_id, method, path, response_code and the peer URI SAN or x_forwarded_client_cert.',
  documentation: 'https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage',
  format: 'json',
  recognises: (record) =>
    'start_time' in record &&
    'response_code' in record &&
    ('upstream_cluster' in record || 'response_flags' in record),
  schema,
  normalise(record, context) {
    const time = parseTime(value(record.start_time))
    if (time === undefined) return dead('normalise', 'bad-time', 'start_time is no time')
    const certificate = lastCertificate(value(record.x_forwarded_client_cert))
    const spiffe = value(record.downstream_peer_uri_san).split(',', 1)[0] || certificate.uri
    // The subject of a refused token is what the caller wrote into it.
    const refusedToken = value(record.response_code_details).startsWith('jwt_authn_access_denied')
    const subject = refusedToken ? '' : value(record.jwt_subject)
    const name = spiffe || subject
    if (name === '') return filtered('no-identity')
    const method = httpMethod(value(record.method))
    const template = templatePath(value(record['x-envoy-origin-path']) || value(record.path))
    const status = Number(value(record.response_code) || '-1')
    const details = `${value(record.response_flags)} ${value(record.response_code_details)}`
    const refusal = details.includes('UAEX')
      ? 'ext-authz-denied'
      : details.includes('rbac_access_denied')
        ? 'rbac-denied'
        : undefined
    const tenant = spiffe === '' ? context.tenant : trustDomain(spiffe)
    return accepted({
      eventId: value(record.request_id) || context.recordHash(),
      time,
      class: 'http_activity',
      identity: {
        id: spiffe === '' ? `envoy:${context.tenant}:subject:${subject}` : `envoy:${spiffe}`,
        kind: spiffe === '' ? 'client' : 'workload',
        provider: 'envoy',
        tenant,
        human: spiffe === '' ? 'unknown' : 'no',
        humanReason: spiffe === '' ? 'a token subject' : 'a workload certificate',
      },
      action: `${method} ${template}`,
      service: value(record.authority) || value(record.upstream_cluster) || 'unnamed',
      accessLevel: httpAccessLevel(method),
      outcome: refusal === undefined ? httpOutcome(status) : 'denied',
      errorCode: refusal ?? httpErrorCode(status),
      origin: value(record.downstream_remote_address),
      resourceClass: routeFamily(template),
      resources: value(record.upstream_cluster) === '' ? undefined : [value(record.upstream_cluster)],
      // Of a token's subject the certificate is that of a proxy: cutting it off would cut off everybody behind it.
      credential: spiffe === '' || certificate.hash === '' ? undefined : certificate.hash,
      authMethod: spiffe === '' ? 'token' : 'workload-certificate',
      userAgent: value(record.user_agent),
      requestId: value(record.request_id),
      bytesOut: Number(value(record.bytes_sent)) || undefined,
    })
  },
  samples: [
    {
      name: 'a workload calls another',
      record: sample({}),
      expect: {
        outcome: 'accepted',
        draft: {
          'identity.id': 'envoy:spiffe://mesh/ns/shop/sa/checkout',
          'identity.tenant': 'mesh',
          action: 'GET /orders/{id}',
          outcome: 'success',
          credential: '9ba61d6425303443c0748a02dd8de688468ed33be74eee6556d90c0149c1309e',
        },
      },
    },
    {
      name: 'refused by the RBAC filter',
      record: sample({
        response_code: 403,
        response_code_details: 'rbac_access_denied_matched_policy[alert-42]',
      }),
      expect: { outcome: 'accepted', draft: { outcome: 'denied', errorCode: 'rbac-denied' } },
    },
    {
      name: 'peer SAN wins over the header; no answer of the upstream',
      record: sample({
        downstream_peer_uri_san: 'spiffe://mesh/ns/shop/sa/cart',
        response_code: 0,
        response_flags: 'DC',
      }),
      expect: {
        outcome: 'accepted',
        draft: { 'identity.id': 'envoy:spiffe://mesh/ns/shop/sa/cart', outcome: 'failure' },
      },
    },
    {
      name: 'no certificate and no token',
      record: sample({ x_forwarded_client_cert: '-' }),
      expect: { outcome: 'filtered', reason: 'no-identity' },
    },
    {
      name: 'a token that was refused proves no subject',
      record: sample({
        x_forwarded_client_cert: '-',
        jwt_subject: 'admin',
        response_code: 401,
        response_code_details: 'jwt_authn_access_denied{Jwt_verification_fails}',
      }),
      expect: { outcome: 'filtered', reason: 'no-identity' },
    },
    {
      name: 'no time',
      record: sample({ start_time: 'yesterday' }),
      expect: { outcome: 'dead', reason: 'bad-time' },
    },
  ],
})

function value(field: string | number | null | undefined): string {
  const written = field === null || field === undefined ? '' : String(field)
  return written === '-' ? '' : written
}

function trustDomain(spiffe: string): string {
  const rest = spiffe.startsWith('spiffe://') ? spiffe.slice('spiffe://'.length) : spiffe
  return rest.split('/', 1)[0] ?? ''
}

import { describe, expect, it } from 'vitest'
import { addressIn, formatAddress } from '../../../ingest/address.ts'
import { source } from '../../../ingest/sources/envoy.ts'
import { draftBy, readBy } from './gateway-reading.ts'

const HASH = '9ba61d6425303443c0748a02dd8de688468ed33be74eee6556d90c0149c1309e'
const OTHER = '468ed33be74eee6556d90c0149c1309e9ba61d6425303443c0748a02dd8de688'
const CART = 'spiffe://mesh/ns/shop/sa/cart'
const CHECKOUT = 'spiffe://mesh/ns/shop/sa/checkout'

const record = {
  start_time: '2026-03-02T08:15:30.123Z',
  request_id: 'r-1',
  method: 'GET',
  path: '/orders/8812?full=1',
  response_code: 200,
  response_flags: '-',
  authority: 'orders.shop.svc',
  upstream_cluster: 'outbound|8080||orders',
  downstream_remote_address: '10.2.3.4:51234',
  x_forwarded_client_cert: `Hash=${HASH};URI=${CHECKOUT}`,
  bytes_sent: 512,
}
const withCertificate = (header: string) => draftBy(source, { ...record, x_forwarded_client_cert: header })

describe('x-forwarded-client-cert', () => {
  it.each([
    ['one element', `By=${CART};Hash=${HASH};URI=${CHECKOUT}`],
    ['keys in any case', `by=${CART};hash=${HASH};uri=${CHECKOUT}`],
    [
      'quoted, with commas, semicolons and equals signs',
      `Subject="CN=a,O=b;c";Hash=${HASH};URI="${CHECKOUT}"`,
    ],
    ['escaped quotes', `Subject="CN=\\"a\\",URI=${CART}";Hash=${HASH};URI=${CHECKOUT}`],
    ['two URIs: the first names it', `Hash=${HASH};URI=${CHECKOUT};URI=https://also.example.test`],
  ])('%s', (_name, header) => {
    const draft = withCertificate(header)
    expect([draft.identity.id, draft.credential]).toEqual([`envoy:${CHECKOUT}`, HASH])
  })

  it('of several elements the last counts: earlier ones are the word of the peer, who may be lying', () => {
    const draft = withCertificate(`Hash=${OTHER};URI=${CART},Hash=${HASH};URI=${CHECKOUT}`)
    expect([draft.identity.id, draft.credential]).toEqual([`envoy:${CHECKOUT}`, HASH])
  })

  it.each(['', '-', '=', ';;;', ',,,', 'URI', 'URI=', 'Subject="', 'Hash=x', `Subject="URI=${CART}`])(
    '%j names nobody',
    (header) =>
      expect(readBy(source, { ...record, x_forwarded_client_cert: header })).toEqual({
        outcome: 'filtered',
        reason: 'no-identity',
      }),
  )

  it('costs linear time', () => {
    const started = performance.now()
    for (const piece of [',', '=', 'a=,', 'a="', 'a="\\"",', ';', '"'])
      readBy(source, { ...record, x_forwarded_client_cert: piece.repeat(300_000) })
    expect(performance.now() - started).toBeLessThan(3000)
  })
})

describe('who called', () => {
  it('the certificate that Envoy itself saw wins over the header', () =>
    expect(
      draftBy(source, { ...record, downstream_peer_uri_san: `${CART},https://x` }).identity,
    ).toMatchObject({ id: `envoy:${CART}`, kind: 'workload', tenant: 'mesh', human: 'no' }))

  it('the subject of a token, without a workload; the certificate is then not its own', () => {
    const draft = draftBy(
      source,
      { ...record, x_forwarded_client_cert: `Hash=${HASH}`, jwt_subject: 'partner-1' },
      'edge',
    )
    expect(draft.identity).toMatchObject({
      id: 'envoy:edge:subject:partner-1',
      kind: 'client',
      tenant: 'edge',
    })
    expect(draft.credential).toBeUndefined()
    expect(draft.authMethod).toBe('token')
  })

  it('nobody, when the token was refused: its subject is what the caller wrote', () => {
    const refused = {
      ...record,
      jwt_subject: 'admin-1',
      response_code: 401,
      response_code_details: 'jwt_authn_access_denied{Jwt_is_expired}',
    }
    expect(readBy(source, { ...refused, x_forwarded_client_cert: '-' })).toEqual({
      outcome: 'filtered',
      reason: 'no-identity',
    })
    expect(draftBy(source, refused).identity.kind).toBe('workload')
  })

  it('from where is the direct peer, never what a caller wrote into x-forwarded-for', () => {
    const { origin } = draftBy(source, { ...record, x_forwarded_for: '8.8.8.8' })
    const address = addressIn(origin ?? '')
    expect(address && formatAddress(address)).toBe('10.2.3.4')
    const six = draftBy(source, { ...record, downstream_remote_address: '[2001:db8::7]:443' })
    const sixth = addressIn(six.origin ?? '')
    expect(sixth && formatAddress(sixth)).toBe('2001:db8::7')
  })
})

describe('what was done', () => {
  it('the path as sent, before Envoy rewrote it', () => {
    expect(draftBy(source, record)).toMatchObject({ action: 'GET /orders/{id}', resourceClass: '/orders' })
    expect(draftBy(source, { ...record, 'x-envoy-origin-path': '/api/orders/1' }).action).toBe(
      'GET /api/orders/{id}',
    )
  })

  it.each([
    [200, '-', '-', 'success', undefined],
    [401, '-', 'jwt_authn_access_denied{x}', 'denied', '401'],
    [403, 'UAEX', 'ext_authz_denied', 'denied', 'ext-authz-denied'],
    [302, 'UAEX', 'ext_authz_denied', 'denied', 'ext-authz-denied'],
    [403, '-', 'rbac_access_denied_matched_policy[none]', 'denied', 'rbac-denied'],
    [429, 'RL', 'request_rate_limited', 'failure', '429'],
    [503, 'UF', 'upstream_reset', 'failure', '503'],
    [0, 'DC', 'downstream_remote_disconnect', 'failure', '0'],
    [null, '-', '-', 'unknown', undefined],
  ])('%s %s %s is %s', (response_code, response_flags, response_code_details, outcome, errorCode) =>
    expect(
      draftBy(source, { ...record, response_code, response_flags, response_code_details }),
    ).toMatchObject({
      outcome,
      errorCode,
    }),
  )

  it('the authority, else the upstream cluster', () => {
    expect(draftBy(source, record).service).toBe('orders.shop.svc')
    expect(draftBy(source, { ...record, authority: '-' }).service).toBe('outbound|8080||orders')
  })
})

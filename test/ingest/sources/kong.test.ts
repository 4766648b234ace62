import { describe, expect, it } from 'vitest'
import { source } from '../../../ingest/sources/kong.ts'
import { draftBy, readBy } from './gateway-reading.ts'

const request = { id: 'req-1', method: 'GET', uri: '/orders/8812?x=1', headers: { 'user-agent': 'a/1' } }
const record = {
  latencies: { request: 3 },
  service: { id: 's1', name: 'orders' },
  route: { id: 'r1', name: 'orders-by-id' },
  request,
  response: { status: 200, size: '934' },
  client_ip: '198.51.100.7',
  started_at: 1772439330123,
  consumer: { id: 'c-1', username: 'acme', custom_id: 'partner-acme' },
  authenticated_entity: { id: 'key-77' },
}

describe('who called', () => {
  it.each([
    [{ id: 'c-1', username: 'acme', custom_id: 'partner-acme' }, 'kong:consumer:partner-acme'],
    [{ id: 'c-1', username: 'acme', custom_id: '' }, 'kong:consumer:acme'],
    [{ id: 'c-1', username: null }, 'kong:consumer:c-1'],
  ])('%j', (consumer, id) => expect(draftBy(source, { ...record, consumer }).identity.id).toBe(id))

  it('the same name in two workspaces is two consumers', () =>
    expect(draftBy(source, { ...record, workspace_name: 'eu' }).identity).toMatchObject({
      id: 'kong:eu:consumer:partner-acme',
      tenant: 'eu',
      kind: 'consumer',
      human: 'no',
    }))

  it.each([{}, null, { id: '', username: '', custom_id: '' }])('%j is nobody', (consumer) =>
    expect(readBy(source, { ...record, consumer })).toEqual({ outcome: 'filtered', reason: 'no-identity' }),
  )
})

describe('what was done', () => {
  it('the name of the route, else the path made a template', () => {
    expect(draftBy(source, record).action).toBe('GET orders-by-id')
    expect(draftBy(source, { ...record, route: { id: 'r1' } }).action).toBe('GET /orders/{id}')
    expect(draftBy(source, record).resourceClass).toBe('/orders')
  })

  it('the service by name, else by id', () => {
    expect(draftBy(source, record).service).toBe('orders')
    expect(draftBy(source, { ...record, service: { id: 's1' } }).service).toBe('s1')
    expect(draftBy(source, { ...record, service: null }).service).toBe('unnamed')
  })

  it.each([
    [401, 'denied', '401'],
    [403, 'denied', '403'],
    [429, 'failure', '429'],
    [502, 'failure', '502'],
    [null, 'unknown', undefined],
  ])('status %s is %s', (status, outcome, errorCode) =>
    expect(draftBy(source, { ...record, response: { status } })).toMatchObject({ outcome, errorCode }),
  )

  it('a verified client certificate is how it signed in', () => {
    const draft = draftBy(source, { ...record, request: { ...request, tls: { client_verify: 'SUCCESS' } } })
    expect(draft.authMethod).toBe('certificate')
    expect(draftBy(source, record)).toMatchObject({ authMethod: 'api-key', credential: 'key-77' })
    expect(draftBy(source, { ...record, authenticated_entity: null }).authMethod).toBeUndefined()
  })

  it('headers sent twice come as a list', () => {
    const headers = { 'user-agent': ['curl/8', 'b'] }
    expect(draftBy(source, { ...record, request: { ...request, headers } }).userAgent).toBe('curl/8')
  })

  it('without a request id the record is its own id', () =>
    expect(draftBy(source, { ...record, request: { ...request, id: null } }).eventId).toBe(
      'hash-of-the-record',
    ))

  it.each([null, undefined, 'now', -1])('started_at %s is no time', (started_at) =>
    expect(readBy(source, { ...record, started_at })).toMatchObject({ outcome: 'dead', reason: 'bad-time' }),
  )
})

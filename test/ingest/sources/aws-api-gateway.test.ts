import { describe, expect, it } from 'vitest'
import { source } from '../../../ingest/sources/aws-api-gateway.ts'
import { draftBy, readBy } from './gateway-reading.ts'

/** As API Gateway fills the published template: strings only, `-` for what is absent. */
const record = {
  requestId: 'r-1',
  ip: '203.0.113.9',
  apiKeyId: '-',
  principalId: '-',
  requestTimeEpoch: '1772439330123',
  httpMethod: 'GET',
  resourcePath: '/orders/{orderId}',
  path: '/prod/orders/77',
  status: '200',
  stage: 'prod',
  apiId: 'a1b2c3',
  userAgent: '-',
  caller: '-',
  user: '-',
  responseLength: '-',
}

describe('who called', () => {
  it.each([
    [{ apiKeyId: 'k1', principalId: 'p1', user: 'u1', caller: 'c1' }, 'key:k1', 'api-key'],
    [{ principalId: 'p1', user: 'u1', caller: 'c1' }, 'principal:p1', 'client'],
    [{ user: 'AROAX:one', caller: 'AROAX:one' }, 'caller:AROAX', 'client'],
    [{ caller: 'AIDAX' }, 'caller:AIDAX', 'client'],
  ])('%j is %s', (fields, name, kind) => {
    const { identity } = draftBy(source, { ...record, ...fields })
    expect(identity).toMatchObject({ id: `aws-api-gateway:a1b2c3:${name}`, kind, tenant: 'a1b2c3' })
    expect(identity.humanReason).not.toBe('')
  })

  it('two sessions of one role are one identity', () => {
    const one = draftBy(source, { ...record, caller: 'AROAX:one' })
    const two = draftBy(source, { ...record, caller: 'AROAX:two' })
    expect(one.identity.id).toBe(two.identity.id)
    expect([one.session, two.session]).toEqual(['one', 'two'])
  })

  it('is a machine for certain only with a key, and a key is the only credential', () => {
    const keyed = draftBy(source, { ...record, apiKeyId: 'k1' })
    const named = draftBy(source, { ...record, principalId: 'p1' })
    expect([keyed.identity.human, keyed.credential, keyed.authMethod]).toEqual(['no', 'k1', 'api-key'])
    expect([named.identity.human, named.credential, named.authMethod]).toEqual([
      'unknown',
      undefined,
      'authorizer',
    ])
  })

  it('nobody is filtered', () =>
    expect(readBy(source, record)).toEqual({ outcome: 'filtered', reason: 'no-identity' }))

  it('one key id under two APIs is two identities; an API that is not named is the stream', () => {
    expect(draftBy(source, { ...record, apiKeyId: 'k1', apiId: 'other' }).identity.id).toBe(
      'aws-api-gateway:other:key:k1',
    )
    const unnamed = draftBy(source, { ...record, apiKeyId: 'k1', apiId: '-', stage: '-' }, 'shop')
    expect([unnamed.identity.id, unnamed.service]).toEqual(['aws-api-gateway:shop:key:k1', 'shop'])
  })
})

describe('what was done', () => {
  const by = (fields: object) => draftBy(source, { ...record, apiKeyId: 'k1', ...fields })

  it('the template of the producer wins over the path', () => {
    expect(by({}).action).toBe('GET /orders/{orderId}')
    expect(by({ resourcePath: '-' }).action).toBe('GET /prod/orders/{id}')
    expect(by({}).resourceClass).toBe('/orders')
    expect(by({}).service).toBe('a1b2c3/prod')
  })

  it.each([
    ['200', 'success', undefined],
    [403, 'denied', '403'],
    ['401', 'denied', '401'],
    ['429', 'failure', '429'],
    ['-', 'unknown', undefined],
    ['Infinity', 'unknown', undefined],
  ])('status %s is %s', (status, outcome, errorCode) =>
    expect(by({ status })).toMatchObject({ outcome, errorCode }),
  )

  it('time and size as text or number; `-` and nonsense are absent', () => {
    expect(by({ requestTimeEpoch: 1772439330123, responseLength: 7 })).toMatchObject({
      time: 1772439330123,
      bytesOut: 7,
    })
    expect(by({ responseLength: '-5' }).bytesOut).toBeUndefined()
    expect(by({}).userAgent).toBe('')
  })

  it('without a time or an id it cannot be placed', () => {
    expect(readBy(source, { ...record, requestTimeEpoch: 'soon' })).toMatchObject({ reason: 'bad-time' })
    expect(readBy(source, { ...record, requestId: '-' })).toMatchObject({ reason: 'no-event-id' })
  })
})

import { expect, it } from 'vitest'
import {
  httpAccessLevel,
  httpErrorCode,
  httpMethod,
  httpOutcome,
  routeFamily,
} from '../../ingest/http-action.ts'

it.each([
  [200, 'success', undefined],
  [304, 'success', undefined],
  [400, 'failure', '400'],
  [401, 'denied', '401'],
  [403, 'denied', '403'],
  [404, 'failure', '404'],
  // Too many is not the same as not allowed.
  [429, 'failure', '429'],
  [503, 'failure', '503'],
  [0, 'failure', '0'],
  [-1, 'unknown', undefined],
  [1000, 'unknown', undefined],
  [403.5, 'unknown', undefined],
  [Number.NaN, 'unknown', undefined],
  [Number.POSITIVE_INFINITY, 'unknown', undefined],
])('status %d is %s', (status, outcome, code) => {
  expect(httpOutcome(status)).toBe(outcome)
  expect(httpErrorCode(status)).toBe(code)
})

it('reading is what the method says it is; the rest writes', () => {
  for (const method of ['GET', 'HEAD', 'OPTIONS']) expect(httpAccessLevel(method)).toBe('read')
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OTHER'])
    expect(httpAccessLevel(method)).toBe('write')
})

it('a method that the caller made up is no new action', () => {
  expect(httpMethod('get')).toBe('GET')
  expect(httpMethod('\u0016\u0003\u0001')).toBe('OTHER')
  expect(httpMethod('')).toBe('OTHER')
})

it.each([
  ['/orders/{id}', '/orders'],
  ['/v1/orders/{id}/lines', '/v1/orders'],
  ['/{id}', '/'],
  ['/', '/'],
])('%s belongs to %s', (template, family) => expect(routeFamily(template)).toBe(family))

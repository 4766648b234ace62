import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { templatePath } from '../../ingest/route-template.ts'

describe('what identifies one thing becomes {id}', () => {
  it.each([
    ['/orders/8812', '/orders/{id}'],
    ['/users/3fa85f64-5717-4562-b3fc-2c963f66afa6/roles', '/users/{id}/roles'],
    ['/users/3fa85f6457174562b3fc2c963f66afa6', '/users/{id}'],
    ['/blobs/da39a3ee5e6b4b0d3255bfef95601890afd80709', '/blobs/{id}'],
    ['/commits/abcdef1a', '/commits/{id}'],
    ['/events/01ARZ3NDEKTSV4RRFFQ69G5FAV', '/events/{id}'],
    ['/reports/2026-03-01/daily', '/reports/{id}/daily'],
    ['/reports/2026-03-01T08:15:30Z', '/reports/{id}'],
    ['/instances/i-0abcd1234ef567890', '/instances/{id}'],
    ['/orders/order-12345', '/orders/{id}'],
    ['/tokens/aGkXjKpQzL4NbVcWqE2x', '/tokens/{id}'],
    ['/tokens/dGhpc2lzYXRlc3Q=', '/tokens/{id}'],
    ['/people/ann.lee@example.com', '/people/{id}'],
    ['/people/ann.lee%40example.com', '/people/{id}'],
    [`/x/${'word'.repeat(13)}`, '/x/{id}'],
  ])('%s', (path, template) => expect(templatePath(path)).toBe(template))
})

describe('what names a route stays', () => {
  it.each([
    '/v1/orders',
    '/v2.1/orders',
    '/api/v1beta1/namespaces',
    '/oauth2/token',
    '/ec2/launch',
    '/s3/i18n',
    '/x509/p12',
    '/deadbeef',
    '/getUserOrderItemById',
    '/part-17.csv',
    '/orders/{orderId}/items/{proxy+}',
    '/straße/größe',
    '/..',
  ])('%s', (path) => expect(templatePath(path)).toBe(path))
})

describe('what is not the route goes', () => {
  it.each([
    ['', '/'],
    ['/', '/'],
    ['//a//b/', '/a/b'],
    ['/a/./b', '/a/b'],
    ['/a/%2e/b', '/a/b'],
    ['/a?x=1#y', '/a'],
    ['/a#y?x=1', '/a'],
    ['/cart;jsessionid=12AB/items', '/cart/items'],
    ['http://api.example.test:8443/orders/7?x', '/orders/{id}'],
    ['https://api.example.test', '/'],
    ['orders/7', '/orders/{id}'],
  ])('%s', (path, template) => expect(templatePath(path)).toBe(template))
})

describe('hostile paths', () => {
  it.each([
    ['/files/../../etc/passwd', '/files/../../etc/passwd'],
    ['/files/%2e%2e/%2E%2E/etc/passwd', '/files/../../etc/passwd'],
    ['/files/..%2f..%2fetc', '/files/..'],
    ['/files/..%5cwindows', '/files/..'],
    ['/app/..;/admin', '/app/../admin'],
  ])('climbing stays visible: %s', (path, template) => expect(templatePath(path)).toBe(template))

  it.each([
    ['/a\u0000b', '/{id}'],
    ['/a\u0000b1cdefgh', '/{id}'],
    ['/a%00b', '/{id}'],
    ['/a%0d%0ab', '/{id}'],
    ['/%', '/{id}'],
    ['/%zz', '/{id}'],
    ['/%ff', '/{id}'],
    ['/group%2Fproject', '/{id}'],
    ['/%2566oobar', '/{id}'],
    ['/{\u0000}', '/{id}'],
    ['/a\ud800', '/a\ufffd'],
  ])('%j', (path, template) => expect(templatePath(path)).toBe(template))

  it('is cut at twelve segments and 256 characters', () => {
    expect(templatePath('/a'.repeat(12))).toBe('/a'.repeat(12))
    expect(templatePath('/a'.repeat(13))).toBe(`${'/a'.repeat(11)}/…`)
    const long = `/${'wordword'.repeat(5)}`
    expect(templatePath(long.repeat(12))).toBe(long.repeat(6))
  })

  it('costs the same whatever lies beyond the first 2048 characters', () => {
    const huge = `/orders/${'a/'.repeat(4_000_000)}`
    const started = performance.now()
    for (let i = 0; i < 100; i++) templatePath(huge)
    // Read to the end, this is 800 MB of text.
    expect(performance.now() - started).toBeLessThan(1000)
  })
})

const segment = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.stringMatching(/^[%.;{}a-fA-F0-9/\\@=-]{0,40}$/),
  fc.constantFrom(
    '..',
    '.',
    '…',
    '{id}',
    '%2e',
    '%252e',
    '%2525',
    'v1',
    's3',
    'orders',
    'http://x',
    '\ud83d',
  ),
  fc.uuid(),
)

it('the template of a template is itself, within its limits', () => {
  fc.assert(
    fc.property(fc.array(segment, { maxLength: 16 }), fc.boolean(), (segments, rooted) => {
      const template = templatePath(`${rooted ? '/' : ''}${segments.join('/')}`)
      expect(templatePath(template)).toBe(template)
      expect(template.startsWith('/')).toBe(true)
      expect(template.length).toBeLessThanOrEqual(256)
      expect(template.split('/').length - 1).toBeLessThanOrEqual(12)
      expect(template).not.toMatch(/\p{Cc}|\p{Cs}/u)
    }),
    { numRuns: 3000 },
  )
})

it('any two numbers make one route', () => {
  fc.assert(
    fc.property(fc.nat(), fc.uuid(), (number, uuid) => {
      expect(templatePath(`/orders/${number}`)).toBe('/orders/{id}')
      expect(templatePath(`/orders/${uuid}/lines`)).toBe('/orders/{id}/lines')
    }),
  )
})

import { describe, expect, it } from 'vitest'
import { type AccessRequest, createAccessGuard, isLoopbackName, refuseOpenBinding } from '../../api/access.ts'
import { readConfig } from '../../api/config.ts'
import { Problem } from '../../api/problem.ts'

const TOKEN = '0123456789abcdef0123456789abcdef'
const request = (changes: Partial<AccessRequest> = {}): AccessRequest => ({
  route: '/v1/alerts',
  authorization: undefined,
  host: '127.0.0.1:8787',
  origin: undefined,
  fetchSite: undefined,
  ...changes,
})

function codeOf(token: string | undefined, changes: Partial<AccessRequest>): string {
  try {
    createAccessGuard(token)(request(changes))
    return 'let in'
  } catch (error) {
    return error instanceof Problem ? error.code : String(error)
  }
}

describe('binding', () => {
  it('is refused on any address but loopback without a token, naming what to set', () => {
    for (const host of ['0.0.0.0', '::', '10.0.0.5', 'plumbline.example', '127.0.0.1.example'])
      expect(() => refuseOpenBinding(host, undefined)).toThrow(/PLUMBLINE_TOKEN/)
    expect(() => refuseOpenBinding('0.0.0.0', TOKEN)).not.toThrow()
    for (const host of ['127.0.0.1', '127.9.9.9', 'localhost', '::1', '[::1]', 'LOCALHOST'])
      expect(isLoopbackName(host)).toBe(true)
  })
})

describe('without a token', () => {
  it.each([
    ['127.0.0.1:8787', 'let in'],
    ['localhost', 'let in'],
    ['[::1]:8787', 'let in'],
    ['evil.example:8787', 'foreign-host'],
    ['127.0.0.1.evil.example', 'foreign-host'],
    ['localhost:8787@evil.example', 'foreign-host'],
    ['', 'foreign-host'],
    [undefined, 'foreign-host'],
  ])('Host %s: %s', (host, expected) => {
    expect(codeOf(undefined, { host })).toBe(expected)
    // A name that rebinds learns nothing at all.
    expect(codeOf(undefined, { host, route: '/health' })).toBe(expected)
  })
  it.each([
    ['http://127.0.0.1:8787', undefined, 'let in'],
    ['http://evil.example', undefined, 'foreign-origin'],
    ['http://127.0.0.1:3000', undefined, 'foreign-origin'],
    ['null', undefined, 'foreign-origin'],
    [undefined, 'cross-site', 'foreign-origin'],
    [undefined, 'same-site', 'foreign-origin'],
    [undefined, 'same-origin', 'let in'],
    [undefined, 'none', 'let in'],
  ])('Origin %s, Sec-Fetch-Site %s: %s', (origin, fetchSite, expected) => {
    expect(codeOf(undefined, { origin, fetchSite })).toBe(expected)
  })
})

describe('with a token', () => {
  it.each([
    [undefined, 'unauthenticated'],
    ['', 'unauthenticated'],
    [`Basic ${TOKEN}`, 'unauthenticated'],
    ['Bearer ', 'unauthenticated'],
    [`Bearer ${TOKEN.slice(1)}`, 'wrong-token'],
    [`Bearer ${TOKEN}x`, 'wrong-token'],
    [`Bearer ${TOKEN.toUpperCase()}`, 'wrong-token'],
    [`Bearer ${TOKEN}`, 'let in'],
    [`bearer  ${TOKEN}`, 'let in'],
  ])('Authorization %s: %s', (authorization, expected) => {
    expect(codeOf(TOKEN, { authorization })).toBe(expected)
    expect(codeOf(TOKEN, { authorization, route: '/metrics' })).toBe(expected)
    // What is not known is not open.
    expect(codeOf(TOKEN, { authorization, route: '' })).toBe(expected)
  })
  it('answers liveness and readiness to everybody, under any name', () => {
    for (const route of ['/health', '/ready'])
      expect(codeOf(TOKEN, { route, host: 'plumbline.example' })).toBe('let in')
  })
  it('is refused as a setting when no header could carry it', () => {
    expect(readConfig({ PLUMBLINE_TOKEN: TOKEN }).token).toBe(TOKEN)
    for (const token of [`${TOKEN}\n`, `${TOKEN} ${TOKEN}`, 'schlüssel-schlüssel'])
      expect(() => readConfig({ PLUMBLINE_TOKEN: token }), JSON.stringify(token)).toThrow('PLUMBLINE_TOKEN')
  })
})

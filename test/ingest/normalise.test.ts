import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Draft } from '../../ingest/activity.ts'
import { createNormaliser, isFuture, LONGEST, MOST_RESOURCES } from '../../ingest/normalise.ts'
import { createOrigins } from '../../ingest/origin.ts'

const origins = createOrigins({
  countryOf: () => 'DE',
  systemOf: () => ({ asn: 3320, organisation: 'Deutsche Telekom AG' }),
  cloudOf: () => '',
})
const normalise = createNormaliser({ origins })
const source = { id: 'kubernetes-audit', kind: 'kubernetes' } as const

function draft(changes: Partial<Draft> = {}): Draft {
  return {
    eventId: 'e-1',
    time: 1_700_000_000_000,
    class: 'api_activity',
    identity: {
      id: 'k8s:prod:system:serviceaccount:ci:deployer',
      kind: 'service-account',
      provider: 'kubernetes',
      tenant: 'prod',
      human: 'no',
      humanReason: 'service account',
    },
    action: 'get core/pods',
    service: 'core/pods',
    accessLevel: 'read',
    outcome: 'success',
    ...changes,
  }
}
const nobody = { ...draft().identity, tenant: '' }

describe('defaults', () => {
  it('make absent fields empty, and qualify the event id by source and tenant', () => {
    const input = draft()
    expect(normalise(input, source, 'stream')).toEqual({
      uid: 'kubernetes-audit:prod:e-1',
      time: input.time,
      source: 'kubernetes-audit',
      kind: 'kubernetes',
      class: 'api_activity',
      identity: input.identity,
      action: 'get core/pods',
      service: 'core/pods',
      accessLevel: 'read',
      effect: '',
      resourceClass: '',
      resources: [],
      outcome: 'success',
      errorCode: '',
      credential: '',
      authMethod: '',
      session: '',
      issuance: {},
      origin: { kind: 'unknown', address: '', prefix: '', country: '', asn: 0, network: '' },
      userAgent: '',
      userAgentFamily: '',
      region: '',
      requestId: '',
      actingAs: '',
      bytesOut: 0,
      details: {},
    })
  })

  it("take the stream's tenant where the identity has none", () => {
    expect(normalise(draft({ identity: nobody }), source, 'stream').uid).toBe('kubernetes-audit:stream:e-1')
  })

  it('locate the origin and name the software, and keep case and everything else as it was', () => {
    const full = draft({
      origin: '[::ffff:25.0.0.7]:443',
      effect: 'secret-read',
      resourceClass: 'core/Secrets',
      resources: ['a', 'B'],
      errorCode: '403',
      credential: 'JTI=aB',
      authMethod: 'bound-token',
      session: 'S',
      issuance: { workload: 'ci/Pod', node: 'n' },
      userAgent: 'kubectl/v1.29.1 (linux/amd64) kubernetes/abc',
      region: 'eu-west-1',
      requestId: 'R',
      actingAs: 'X',
      bytesOut: 7.9,
      details: { grantee: '*' },
    })
    const { eventId: _, ...expected } = full
    const activity = normalise(full, source, '')
    expect(activity).toMatchObject({
      ...expected,
      bytesOut: 7,
      userAgentFamily: 'kubectl',
      origin: {
        kind: 'public',
        address: '25.0.0.7',
        country: 'DE',
        asn: 3320,
        network: 'Deutsche Telekom AG',
      },
    })
  })

  it('have one order of keys whatever the draft', () => {
    const keys = Object.keys(normalise(draft(), source, ''))
    expect(
      Object.keys(normalise(draft({ details: { a: 'b' }, origin: '::1', bytesOut: 1 }), source, '')),
    ).toEqual(keys)
  })

  it.each([
    [-1, 0],
    [Number.NaN, 0],
    [Number.POSITIVE_INFINITY, 0],
    [2 ** 60, 0],
    [12, 12],
  ])('bytes %d are %d', (bytes, expected) => {
    expect(normalise(draft({ bytesOut: bytes }), source, '').bytesOut).toBe(expected)
  })
})

describe('hostile text', () => {
  const hostile = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 700 }),
    fc
      .array(fc.constantFrom('\0', '\ud800', '\udfff', 'é', '🏢', 'a'), { maxLength: 600 })
      .map((parts) => parts.join('')),
  )
  const texts = (value: unknown): string[] =>
    typeof value === 'string'
      ? [value]
      : typeof value === 'object' && value !== null
        ? Object.entries(value).flatMap(([key, item]) => [key, ...texts(item)])
        : []

  it('is bounded, without NUL, and survives UTF-8, in every field', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const activity = normalise(
          draft({
            eventId: text,
            identity: { ...draft().identity, id: text, provider: text, tenant: text, humanReason: text },
            action: text,
            service: text,
            origin: text,
            resourceClass: text,
            resources: new Array<string>(20).fill(text),
            errorCode: text,
            credential: text,
            authMethod: text,
            session: text,
            issuance: { workload: text, workloadUid: text, node: text },
            userAgent: text,
            region: text,
            requestId: text,
            actingAs: text,
            details: { [text]: text, ['__proto__']: text },
          }),
          source,
          text,
        )
        for (const { length } of [
          activity.identity.id,
          activity.credential,
          activity.session,
          activity.requestId,
        ]) {
          expect(length).toBeLessThanOrEqual(LONGEST.id)
        }
        expect(activity.userAgent.length).toBeLessThanOrEqual(LONGEST.userAgent)
        expect(activity.action.length).toBeLessThanOrEqual(LONGEST.name)
        expect(activity.resources.length).toBeLessThanOrEqual(MOST_RESOURCES)
        for (const one of texts(activity)) {
          expect(one.includes('\0')).toBe(false)
          expect(Buffer.from(one, 'utf8').toString('utf8')).toBe(one)
          expect(one.length).toBeLessThanOrEqual(1100)
        }
        expect(Object.getPrototypeOf(activity.details)).toBe(Object.prototype)
      }),
      { numRuns: 500 },
    )
  })

  it('never makes two names one: what is cut or repaired keeps a hash of the whole', () => {
    const name = (id: string): string =>
      normalise(draft({ identity: { ...draft().identity, id } }), source, '').identity.id
    const long = 'x'.repeat(600)
    const names = ['admin', 'admin\0', 'admin\ud800', 'admin\ud801', `${long}1`, `${long}2`, `${long}1`].map(
      name,
    )
    expect(new Set(names).size).toBe(6)
    expect(names[4]).toBe(names[6])
    const uid = (eventId: string): string => normalise(draft({ eventId }), source, '').uid
    expect(uid(`${long}1`)).not.toBe(uid(`${long}2`))
  })

  it('leaves the draft as it was', () => {
    const input = draft({
      resources: new Array<string>(9).fill('r\0'),
      details: { a: '\0' },
      issuance: { node: '\0' },
    })
    const before = structuredClone(input)
    normalise(input, source, '')
    expect(input).toEqual(before)
  })
})

describe('clock skew', () => {
  it.each([
    [0, false],
    [600_000, false],
    [600_001, true],
    [-1_000_000, false],
  ])('an event %d ms ahead of its arrival is of the future: %s', (ahead, expected) => {
    expect(isFuture(1_700_000_000_000 + ahead, 1_700_000_000_000)).toBe(expected)
  })
})

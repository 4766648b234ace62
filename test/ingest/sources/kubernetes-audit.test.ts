import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Draft } from '../../../ingest/activity.ts'
import { isJsonObject } from '../../../ingest/json-values.ts'
import type { Verdict } from '../../../ingest/outcome.ts'
import type { JsonObject, SourceContext } from '../../../ingest/source.ts'
import { source } from '../../../ingest/sources/kubernetes-audit.ts'

const context: SourceContext = {
  tenant: '',
  arrival: Date.parse('2026-03-02T09:00:00Z'),
  recordHash: () => 'hash',
}
const DATA = '/work/shared/data'

function draftOf(verdict: Verdict<Draft>): Draft {
  if (verdict.outcome !== 'accepted') throw new Error(`not accepted: ${JSON.stringify(verdict)}`)
  return verdict.value
}

function at(value: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>(
      (here, key) => (typeof here === 'object' && here !== null ? Reflect.get(here, key) : undefined),
      value,
    )
}

describe('samples', () => {
  it.each(source.samples.map((sample) => [sample.name, sample] as const))(
    '%s',
    (_name, { record, expect: wanted }) => {
      if (typeof record === 'string') throw new Error('audit events are objects')
      expect(source.recognises(record)).toBe(true)
      const verdict = source.read(record, context)
      if (wanted.outcome !== 'accepted') {
        expect(verdict).toMatchObject(wanted)
        return
      }
      const draft = draftOf(verdict)
      for (const [path, value] of Object.entries(wanted.draft))
        expect([path, at(draft, path)]).toEqual([path, value])
    },
  )
})

const event = (rest: JsonObject = {}): JsonObject => ({
  kind: 'Event',
  apiVersion: 'audit.k8s.io/v1',
  auditID: 'a',
  stage: 'ResponseComplete',
  verb: 'get',
  requestURI: '/api/v1/namespaces/shop/pods/x',
  user: { username: 'system:serviceaccount:shop:cart' },
  objectRef: { resource: 'pods', namespace: 'shop', name: 'x' },
  responseStatus: { code: 200 },
  requestReceivedTimestamp: '2026-03-02T08:15:30Z',
  ...rest,
})
const read = (rest: JsonObject = {}) => source.read(event(rest), context)

describe('recognises', () => {
  it.each<[string, JsonObject, boolean]>([
    ['v1', event(), true],
    ['v1beta1', event({ apiVersion: 'audit.k8s.io/v1beta1' }), true],
    ['an export without apiVersion', { kind: 'Event', auditID: 'a', stage: 'Panic' }, true],
    ['a number for a kind', { kind: 0 }, false],
    ['an Event of core/v1', { kind: 'Event', apiVersion: 'v1', involvedObject: {}, reason: 'Pulled' }, false],
    ['a list, which is a container', { kind: 'EventList', apiVersion: 'audit.k8s.io/v1', items: [] }, false],
  ])('%s', (_name, record, recognised) => {
    expect(source.recognises(record)).toBe(recognised)
  })
})

describe('filters', () => {
  it.each<[string, JsonObject, unknown]>([
    ['started', { stage: 'ResponseStarted' }, { outcome: 'filtered', reason: 'stage' }],
    [
      'started and refused by name',
      { stage: 'ResponseStarted', responseStatus: { code: 401 } },
      { outcome: 'filtered', reason: 'stage' },
    ],
    [
      'received by nobody',
      { stage: 'RequestReceived', user: {}, responseStatus: { code: 401 } },
      { outcome: 'filtered', reason: 'stage' },
    ],
    ['nobody, but answered', { user: {} }, { outcome: 'filtered', reason: 'no-identity' }],
    ['no user at all', { user: null }, { outcome: 'filtered', reason: 'no-identity' }],
    ['no time', { requestReceivedTimestamp: null }, { outcome: 'dead', reason: 'bad-time' }],
    [
      'path that only begins like a health check',
      { objectRef: null, requestURI: '/healthzz' },
      { outcome: 'accepted' },
    ],
    [
      'refused health check',
      { objectRef: null, requestURI: '/healthz', responseStatus: { code: 403 } },
      { outcome: 'accepted' },
    ],
    [
      'refused lease',
      { objectRef: { resource: 'leases' }, responseStatus: { code: 403 } },
      { outcome: 'accepted' },
    ],
    ['deleted lease', { verb: 'delete', objectRef: { resource: 'leases' } }, { outcome: 'accepted' }],
    ['panic', { stage: 'Panic' }, { outcome: 'accepted', value: { outcome: 'failure' } }],
  ])('%s', (_name, rest, wanted) => {
    expect(read(rest)).toMatchObject(Object(wanted))
  })
})

describe('identity', () => {
  it('is of the cluster', () => {
    const draft = draftOf(source.read(event(), { ...context, tenant: 'prod-eu' }))
    expect(draft.identity).toMatchObject({
      id: 'k8s:prod-eu:system:serviceaccount:shop:cart',
      tenant: 'prod-eu',
    })
  })

  it.each([
    ['system:node:n1', 'node', 'no'],
    ['system:kube-scheduler', 'control-plane', 'no'],
    ['eks:node-manager', 'control-plane', 'no'],
    ['system:anonymous', 'anonymous', 'unknown'],
    ['ann@example.test', 'user', 'yes'],
    ['robot@project.iam.gserviceaccount.com', 'user', 'no'],
    ['admin', 'user', 'unknown'],
  ])('%s is %s', (username, kind, human) => {
    expect(draftOf(read({ user: { username } })).identity).toMatchObject({ kind, human })
  })

  it.each<[JsonObject, JsonObject, string, string]>([
    [{ 'authentication.kubernetes.io/credential-id': ['X509SHA256=ab'] }, {}, 'certificate', 'X509SHA256=ab'],
    [{ 'authentication.kubernetes.io/credential-id': ['JTI=1'] }, {}, 'unbound-token', 'JTI=1'],
    [
      {
        'authentication.kubernetes.io/credential-id': ['JTI=1'],
        'authentication.kubernetes.io/pod-name': ['p'],
      },
      {},
      'bound-token',
      'JTI=1',
    ],
    [
      {},
      { 'authentication.k8s.io/legacy-token': 'x', 'authentication.k8s.io/legacy-token-manual-secret': 't' },
      'legacy-token',
      'secret:shop/t',
    ],
    [{ accessKeyId: ['ASIAEXAMPLE'] }, {}, 'aws-iam', 'ASIAEXAMPLE'],
    [{}, {}, 'service-account-token', ''],
  ])('%j %j shows %s', (extra, annotations, authMethod, credential) => {
    const draft = draftOf(read({ user: { username: 'system:serviceaccount:shop:cart', extra }, annotations }))
    expect(draft).toMatchObject({ authMethod, credential })
  })
})

it('cuts paths that a scanner invents', () => {
  const uri = `/a/b/c/d/e/${'x'.repeat(500)}`
  expect(draftOf(read({ objectRef: null, requestURI: uri })).action).toBe('get /a/b/c/d/…')
  expect(draftOf(read({ objectRef: null, requestURI: '/apis/apps/v1?timeout=32s' })).action).toBe(
    'get /apis/apps/v1',
  )
})

it('never throws and never meets a fault of its own', () => {
  const keys = [
    'stage',
    'verb',
    'user',
    'objectRef',
    'sourceIPs',
    'annotations',
    'requestObject',
    'responseStatus',
    'requestURI',
    '__proto__',
  ]
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...keys), fc.jsonValue()), (rest) => {
      const parsed: JsonObject = JSON.parse(JSON.stringify(rest))
      expect(source.read(parsed, context)).not.toMatchObject({ reason: 'source-fault' })
      expect(source.read(event(parsed), context)).not.toMatchObject({ reason: 'source-fault' })
    }),
  )
})

if (!existsSync(DATA) && !process.env.CI) console.warn(`SKIPPED: real Kubernetes audit events, no ${DATA}`)

describe.skipIf(!existsSync(DATA) && !process.env.CI)('real records', () => {
  const recordsOf = (folder: string): JsonObject[] =>
    readdirSync(`${DATA}/${folder}`)
      .filter((file) => file.endsWith('.ndjson.gz'))
      .flatMap((file) =>
        gunzipSync(readFileSync(`${DATA}/${folder}/${file}`))
          .toString()
          .split('\n'),
      )
      .filter((line) => line !== '')
      .map((line) => unwrap(JSON.parse(line)))
  /** What the container stage does: cases hold the record in `log`, Azure holds it as text in `properties.log`. */
  const unwrap = (parsed: unknown): JsonObject => {
    if (!isJsonObject(parsed)) throw new Error('not an object')
    if (isJsonObject(parsed.log)) return unwrap(parsed.log)
    const inner = isJsonObject(parsed.properties) ? parsed.properties.log : undefined
    return typeof inner === 'string' ? unwrap(JSON.parse(inner)) : parsed
  }
  const verdicts = (records: readonly JsonObject[]): Record<string, number> => {
    const counts: Record<string, number> = {}
    for (const record of records) {
      const verdict = source.recognises(record) ? source.read(record, context) : undefined
      const name =
        verdict === undefined
          ? 'unrecognised'
          : verdict.outcome === 'accepted'
            ? 'accepted'
            : `${verdict.outcome} ${verdict.reason}`
      counts[name] = (counts[name] ?? 0) + 1
    }
    return counts
  }
  const drafts = (folder: string): Draft[] =>
    recordsOf(folder).flatMap((record) => {
      const verdict = source.read(record, context)
      return verdict.outcome === 'accepted' ? [verdict.value] : []
    })

  it.each([
    [
      'k8s-apiserver-own',
      { accepted: 646, 'filtered lease': 295, 'filtered stage': 70, 'filtered watch': 65 },
    ],
    ['k8s-audit2rbac-demo', { accepted: 37 }],
    ['k8s-falco-traces', { accepted: 49, 'filtered stage': 2, unrecognised: 1 }],
    [
      'k8s-perfspec-benign',
      {
        accepted: 10394,
        'filtered stage': 304,
        'filtered watch': 32,
        'filtered lease': 581,
        'filtered health': 1,
      },
    ],
  ])('%s', (folder, counts) => {
    expect(verdicts(recordsOf(folder))).toEqual(counts)
  })

  it('k8s-panther-cases: everything but Google exports, once the hand-made records get the time they lack', () => {
    const timed = recordsOf('k8s-panther-cases').map((record) =>
      record.kind === 'Event' && record.requestReceivedTimestamp === undefined
        ? { ...record, requestReceivedTimestamp: '2024-03-20T10:00:00Z' }
        : record,
    )
    const counts = verdicts(timed)
    expect(Object.keys(counts).filter((name) => name.startsWith('dead'))).toEqual([])
    expect(counts.unrecognised).toBe(31)
    expect(Object.values(counts).reduce((sum, count) => sum + count, 0)).toBe(128)
  })

  it('binds the stolen token to the pod and node it was issued to, and sees it used from elsewhere', () => {
    const thief = drafts('k8s-apiserver-own').filter(
      (draft) => draft.origin === '127.0.200.66' && draft.credential !== '',
    )
    expect(new Set(thief.map((draft) => draft.credential))).toEqual(
      new Set(['JTI=b46804b7-92b7-414f-8945-dc2944870926']),
    )
    for (const draft of thief) {
      expect(draft.issuance).toEqual({
        workload: 'payments/checkout-7d9f8b6c5-x2x9k',
        workloadUid: '104e929d-92aa-4057-b1c6-4c152f6a66a8',
        node: 'ip-10-0-12-34.eu-central-1.compute.internal',
      })
    }
    // The peer's own address, also for the call with a forged X-Forwarded-For.
    expect(thief.filter((draft) => draft.details?.forwardedFor !== undefined)).toHaveLength(1)
    expect(new Set(thief.map((draft) => draft.effect ?? ''))).toEqual(
      new Set(['', 'secret-read', 'credential-minting', 'permission-grant', 'remote-execution']),
    )
  })

  it('keeps refused authentications as attempts by nobody', () => {
    const nobody = drafts('k8s-apiserver-own').filter(
      (draft) => draft.identity.id === 'k8s:default:system:unauthenticated',
    )
    expect(nobody).toHaveLength(7)
    for (const draft of nobody)
      expect(draft).toMatchObject({ outcome: 'denied', errorCode: '401', identity: { kind: 'anonymous' } })
  })

  it('tells the impersonating admin from whom it acts as', () => {
    const all = drafts('k8s-audit2rbac-demo')
    expect(new Set(all.map((draft) => draft.identity.id))).toEqual(new Set(['k8s:default:system:admin']))
    const actingAs = all.map((draft) => draft.actingAs)
    expect(actingAs.filter((id) => id === 'k8s:default:bob')).toHaveLength(29)
    expect(actingAs.filter((id) => id === 'k8s:default:alice')).toHaveLength(3)
    expect(actingAs.filter((id) => id === 'k8s:default:system:serviceaccount:ns1:sa1')).toHaveLength(5)
    expect(all.filter((draft) => draft.outcome === 'denied')).toHaveLength(11)
    expect(all.every((draft) => draft.effect === 'impersonation' || draft.effect === 'secret-read')).toBe(
      true,
    )
  })

  it('does not call the ordinary token requests of kubelets minting', () => {
    const tokens = drafts('k8s-apiserver-own').filter(
      (draft) => draft.action === 'create serviceaccounts/token',
    )
    expect(tokens.filter((draft) => draft.identity.kind === 'node')).toHaveLength(5)
    expect(
      tokens
        .filter((draft) => draft.effect === 'credential-minting')
        .map((draft) => draft.outcome)
        .sort(),
    ).toEqual(['denied', 'success'])
    expect(
      tokens
        .filter((draft) => draft.outcome === 'success')
        .every((draft) => draft.details?.issuedCredential?.startsWith('JTI=')),
    ).toBe(true)
  })
})

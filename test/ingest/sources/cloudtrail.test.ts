import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Draft } from '../../../ingest/activity.ts'
import { isJsonObject } from '../../../ingest/json-values.ts'
import type { Verdict } from '../../../ingest/outcome.ts'
import type { JsonObject, SourceContext } from '../../../ingest/source.ts'
import { source } from '../../../ingest/sources/cloudtrail.ts'

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
      if (typeof record === 'string') throw new Error('CloudTrail records are objects')
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

const call = (userIdentity: unknown, rest: JsonObject = {}): JsonObject => ({
  eventID: 'e',
  eventTime: '2026-03-02T08:15:30Z',
  eventSource: 'ec2.amazonaws.com',
  eventName: 'DescribeVpcs',
  recipientAccountId: '111122223333',
  sourceIPAddress: '198.51.100.7',
  userIdentity,
  ...rest,
})
const identityOf = (userIdentity: unknown, rest: JsonObject = {}) =>
  draftOf(source.read(call(userIdentity, rest), context)).identity

describe('identities', () => {
  const arn = 'arn:aws:iam::111122223333:user/ann'
  const key = 'ASIAEXAMPLE'
  it('derives the role from the session when there is no issuer', () => {
    const user = {
      type: 'AssumedRole',
      arn: 'arn:aws-cn:sts::111122223333:assumed-role/app/i-0123456789abcdef0',
    }
    expect(identityOf(user)).toMatchObject({
      id: 'arn:aws-cn:iam::111122223333:role/app',
      kind: 'role',
      human: 'no',
    })
  })

  it.each<[string, unknown, string]>([
    ['a user', { type: 'IAMUser', arn: 'arn:aws:iam::1:user/ops/eu/ann' }, 'arn:aws:iam::1:user/ann'],
    [
      'a role',
      {
        type: 'AssumedRole',
        arn: 'arn:aws:sts::1:assumed-role/ci/s',
        sessionContext: { sessionIssuer: { arn: 'arn:aws:iam::1:role/build/ci' } },
      },
      'arn:aws:iam::1:role/ci',
    ],
    [
      'a session alone',
      { type: 'AssumedRole', arn: 'arn:aws:sts::1:assumed-role/ci/s' },
      'arn:aws:iam::1:role/ci',
    ],
  ])('%s under a path has one id, whether or not the record knows the path', (_name, user, id) => {
    expect(identityOf(user).id).toBe(id)
  })

  it('names who acts and who is acted on alike under a path', () => {
    const user = { type: 'IAMUser', arn: 'arn:aws:iam::111122223333:user/ops/ann', accountId: '111122223333' }
    const self = draftOf(
      source.read(
        {
          ...call(user),
          eventSource: 'iam.amazonaws.com',
          eventName: 'AttachUserPolicy',
          recipientAccountId: '111122223333',
          requestParameters: { userName: 'ann', policyArn: 'arn:aws:iam::aws:policy/AdministratorAccess' },
        },
        context,
      ),
    )
    expect(self.details?.targetIdentity).toBe(self.identity.id)
    expect(self.details?.grantee).toBe(self.identity.id)
  })

  it('keeps names that may be mistyped passwords out of ids', () => {
    const user = { type: 'IAMUser', accountId: '111122223333', userName: 'HIDDEN_DUE_TO_SECURITY_REASONS' }
    expect(identityOf(user)).toMatchObject({ id: 'aws:unknown:111122223333', kind: 'unknown' })
  })

  it.each<[string, unknown, JsonObject, string]>([
    [
      'console session',
      { type: 'IAMUser', arn, accessKeyId: key },
      { sessionCredentialFromConsole: 'true' },
      'yes',
    ],
    [
      'MFA',
      {
        type: 'IAMUser',
        arn,
        accessKeyId: key,
        sessionContext: { attributes: { mfaAuthenticated: 'true' } },
      },
      {},
      'yes',
    ],
    [
      'agent of a browser with a session key',
      { type: 'IAMUser', arn, accessKeyId: key },
      { userAgent: 'Mozilla/5.0' },
      'unknown',
    ],
    [
      'agent of the console',
      { type: 'IAMUser', arn, accessKeyId: key },
      { userAgent: 'signin.amazonaws.com' },
      'unknown',
    ],
    [
      'agent of a browser with a long-term key',
      { type: 'IAMUser', arn, accessKeyId: 'AKIAEXAMPLE' },
      { userAgent: 'Mozilla/5.0' },
      'unknown',
    ],
    ['program', { type: 'IAMUser', arn, accessKeyId: 'AKIAEXAMPLE' }, { userAgent: 'Boto3/1.3' }, 'unknown'],
    [
      'single sign-on role',
      {
        type: 'AssumedRole',
        sessionContext: { sessionIssuer: { arn: 'arn:aws:iam::1:role/aws-reserved/AWSReservedSSO_Admin_1' } },
      },
      {},
      'yes',
    ],
    [
      'role that anybody named like one',
      {
        type: 'AssumedRole',
        sessionContext: { sessionIssuer: { arn: 'arn:aws:iam::1:role/AWSReservedSSO_Admin_1' } },
      },
      {},
      'unknown',
    ],
    [
      'role with a browser agent',
      { type: 'AssumedRole', sessionContext: { sessionIssuer: { arn: 'arn:aws:iam::1:role/app' } } },
      { userAgent: 'Mozilla/5.0' },
      'unknown',
    ],
    [
      'role of a Kubernetes workload',
      {
        type: 'AssumedRole',
        sessionContext: {
          sessionIssuer: { arn: 'arn:aws:iam::1:role/app' },
          webIdFederationData: {
            federatedProvider: 'arn:aws:iam::1:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/A',
          },
        },
      },
      {},
      'no',
    ],
    ['SAML', { type: 'SAMLUser', userName: 'ann', identityProvider: 'x=' }, {}, 'yes'],
    [
      'Identity Center',
      {
        type: 'IdentityCenterUser',
        onBehalfOf: { userId: 'u-1', identityStoreArn: 'arn:aws:identitystore::1:identitystore/d-1' },
      },
      {},
      'yes',
    ],
    ['service', { type: 'AWSService', invokedBy: 'ec2.amazonaws.com' }, {}, 'no'],
  ])('person or machine: %s', (_name, user, rest, human) => {
    const identity = identityOf(user, rest)
    expect(identity.human).toBe(human)
    expect(identity.humanReason).not.toBe('')
  })

  it('reads credentials issued to a function as bound to it', () => {
    const workload = 'arn:aws:lambda:eu-west-1:1:function:f'
    const user = {
      type: 'AssumedRole',
      sessionContext: { sessionIssuer: { arn: 'arn:aws:iam::1:role/app' } },
      inScopeOf: { credentialsIssuedTo: workload },
    }
    expect(draftOf(source.read(call(user), context)).issuance).toEqual({ workload })
  })

  it('knows anonymous requests', () => {
    expect(
      identityOf({ type: 'AWSAccount', principalId: '', accountId: 'ANONYMOUS_PRINCIPAL' }),
    ).toMatchObject({ id: 'aws:anonymous', kind: 'anonymous' })
  })

  it('keeps the address of an old console session', () => {
    const draft = draftOf(
      source.read(call({ type: 'IAMUser', arn, invokedBy: 'signin.amazonaws.com' }), context),
    )
    expect(draft.origin).toBe('198.51.100.7')
  })
})

it('is loose about what is missing and strict about what is there', () => {
  const bare = {
    eventSource: 'ec2.amazonaws.com',
    eventName: 'X',
    eventTime: 1772439330,
    userIdentity: { type: 'AWSService', invokedBy: 's' },
  }
  expect(draftOf(source.read(bare, context))).toMatchObject({ eventId: 'hash', time: 1_772_439_330_000 })
  expect(source.read({ ...bare, readOnly: 'yes' }, context)).toMatchObject({
    outcome: 'dead',
    reason: 'wrong-type',
  })
  expect(source.read({ ...bare, eventTime: 'noon' }, context)).toMatchObject({
    outcome: 'dead',
    reason: 'bad-time',
  })
  expect(source.read({ ...bare, userIdentity: {} }, context)).toEqual({
    outcome: 'filtered',
    reason: 'no-identity',
  })
})

it('never throws and never meets a fault of its own', () => {
  const keys = [
    'eventSource',
    'eventName',
    'eventTime',
    'userIdentity',
    'requestParameters',
    'responseElements',
    'resources',
    'errorCode',
    '__proto__',
    'constructor',
  ]
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...keys), fc.jsonValue()), (entry) => {
      const parsed: JsonObject = JSON.parse(JSON.stringify(entry))
      source.recognises(parsed)
      expect(source.read(parsed, context)).not.toMatchObject({ reason: 'source-fault' })
      expect(
        source.read(
          call(
            { type: 'IAMUser', arn: 'arn:aws:iam::1:user/a' },
            { requestParameters: parsed, responseElements: parsed },
          ),
          context,
        ).outcome,
      ).toBe('accepted')
    }),
  )
})

if (!existsSync(DATA) && !process.env.CI) console.warn(`SKIPPED: real CloudTrail records, no ${DATA}`)

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
      .map((line) => {
        const parsed: unknown = JSON.parse(line)
        if (!isJsonObject(parsed)) throw new Error('not an object')
        return isJsonObject(parsed.log) ? parsed.log : parsed
      })
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
    ['cloudtrail-invictus', { accepted: 2900 }],
    ['cloudtrail-grycap-sample', { accepted: 142 }],
    ['cloudtrail-stratus-detonations', { accepted: 191 }],
    ['cloudtrail-permiso-console', { 'filtered no-identity': 3653 }],
    // Hand-made cases: eight have no eventTime at all, nine have keys in lower case or no call in them.
    [
      'cloudtrail-panther-cases',
      { accepted: 248, 'filtered no-identity': 8, 'dead bad-time': 8, unrecognised: 9 },
    ],
  ])('%s', (folder, counts) => {
    expect(verdicts(recordsOf(folder))).toEqual(counts)
  })

  it('finds the identities of the hour of attack', () => {
    const all = drafts('cloudtrail-invictus')
    const ids = new Map(all.map((draft) => [draft.identity.id, draft.identity]))
    expect(ids.get('arn:aws:iam::123837392027:user/bert-jan')?.kind).toBe('user')
    expect(
      ids.get('arn:aws:iam::123837392027:role/stratus-red-team-ec2-steal-credentials-role'),
    ).toMatchObject({ kind: 'role', human: 'no' })
    expect([...ids.values()].filter((identity) => identity.kind === 'role')).toHaveLength(9)
    expect([...ids.values()].filter((identity) => identity.kind === 'cloud-service')).toHaveLength(7)
    expect(all.find((draft) => draft.session === 'i-0dbc91f429e48eeed')?.issuance).toEqual({
      workload: 'i-0dbc91f429e48eeed',
    })
  })

  it('reads the effect of every technique that has one', () => {
    const effects = new Set(drafts('cloudtrail-stratus-detonations').map((draft) => draft.effect ?? ''))
    expect([...effects].sort()).toEqual([
      '',
      'audit-tampering',
      'code-change',
      'compute-launch',
      'credential-minting',
      'identity-creation',
      'impersonation',
      'network-opening',
      'permission-grant',
      'remote-execution',
      'secret-read',
      'sharing-outside',
      'trust-change',
    ])
  })

  it('gives every record an event id of its own', () => {
    const ids = drafts('cloudtrail-invictus').map((draft) => draft.eventId)
    expect(new Set(ids).size).toBe(ids.length)
  })
})

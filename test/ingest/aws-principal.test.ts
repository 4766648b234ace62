import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalPrincipal } from '../../ingest/aws-principal.ts'
import { targetIdentityOf, targetsOf } from '../../ingest/aws-targets.ts'

describe('the canonical id of an AWS principal', () => {
  it.each([
    ['arn:aws:iam::1:role/ci', 'arn:aws:iam::1:role/ci'],
    ['arn:aws:iam::1:role/path/name', 'arn:aws:iam::1:role/name'],
    ['arn:aws-cn:iam::1:user/a/b/ann', 'arn:aws-cn:iam::1:user/ann'],
    ['arn:aws:iam::1:group/a/admins', 'arn:aws:iam::1:group/admins'],
    ['arn:aws:sts::1:assumed-role/ci/session', 'arn:aws:iam::1:role/ci'],
    ['arn:aws:sts::1:assumed-role/ci', 'arn:aws:iam::1:role/ci'],
    ['arn:aws:iam::1:policy/path/p', 'arn:aws:iam::1:policy/path/p'],
    ['arn:aws:iam::1:oidc-provider/host/id/A', 'arn:aws:iam::1:oidc-provider/host/id/A'],
    ['arn:aws:iam::1:role/path/*', 'arn:aws:iam::1:role/path/*'],
    ['arn:aws:iam::1:role/path/', 'arn:aws:iam::1:role/path/'],
    ['arn:aws:sts::1:federated-user/ann', 'arn:aws:sts::1:federated-user/ann'],
    ['arn:aws:sts::1:assumed-role/', 'arn:aws:sts::1:assumed-role/'],
    ['arn:aws:iam::1:root', 'arn:aws:iam::1:root'],
    ['arn:aws:s3:::bucket/:iam::1:role/x/y', 'arn:aws:s3:::bucket/:iam::1:role/x/y'],
    ['*', '*'],
    ['', ''],
  ])('%s is %s', (arn, id) => {
    expect(canonicalPrincipal(arn)).toBe(id)
  })

  it('does not change a second time, and never throws', () => {
    const part = fc.constantFrom(
      'arn:',
      'aws',
      ':iam::',
      ':sts::',
      '1',
      ':',
      'role/',
      'assumed-role/',
      '/',
      'x',
      '*',
    )
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
        const id = canonicalPrincipal(parts.join(''))
        expect(canonicalPrincipal(id)).toBe(id)
      }),
    )
  })
})

describe('whom a call acts on', () => {
  const call = {
    service: 'iam',
    operation: 'CreateRole',
    partition: 'aws',
    region: 'us-east-1',
    account: '1',
    caller: 'arn:aws:iam::1:role/deployer',
    viaService: false,
    parameters: { roleName: 'ci', path: '/build/' },
    response: {},
  }
  const answered = { ...call, response: { role: { arn: 'arn:aws:iam::1:role/build/ci' } } }
  const assumed = {
    ...call,
    service: 'sts',
    operation: 'AssumeRole',
    parameters: { roleArn: 'arn:aws:iam::1:role/build/ci' },
  }

  it.each([
    ['named by a parameter', call],
    ['named by the response', answered],
    ['assumed', assumed],
  ])('has the id that it acts under: %s', (_name, by) => {
    expect(targetIdentityOf(by)).toBe('arn:aws:iam::1:role/ci')
  })

  it('leaves resources as the record names them', () => {
    expect(targetsOf(assumed, []).resources).toEqual(['arn:aws:iam::1:role/build/ci'])
  })
})

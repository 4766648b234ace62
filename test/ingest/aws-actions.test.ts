import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EFFECTS } from '../../ingest/activity.ts'
import { accessLevelOf, awsOutcome, meaningOf, operationShape } from '../../ingest/aws-actions.ts'
import { OPERATION_EFFECTS } from '../../ingest/aws-effects.ts'
import { type AwsCall, isOutside, policyPrincipals } from '../../ingest/aws-grants.ts'
import { targetsOf } from '../../ingest/aws-targets.ts'
import type { JsonObject } from '../../ingest/source.ts'

const ACCOUNT = '111122223333'
const OTHER = '444455556666'
const CALLER = `arn:aws:iam::${ACCOUNT}:role/deployer`

function callOf(action: string, parameters: JsonObject, rest: Partial<AwsCall> = {}): AwsCall {
  const [service = '', operation = ''] = action.split(':')
  const shape = operationShape(`${service}.amazonaws.com`, operation)
  return {
    service: shape.service,
    operation: shape.operation,
    partition: 'aws',
    region: 'eu-west-1',
    account: ACCOUNT,
    caller: CALLER,
    viaService: false,
    parameters,
    response: {},
    ...rest,
  }
}

function mean(action: string, parameters: JsonObject = {}, rest: Partial<AwsCall> = {}) {
  const [service = '', operation = ''] = action.split(':')
  return meaningOf(
    operationShape(`${service}.amazonaws.com`, operation),
    callOf(action, parameters, rest),
    undefined,
  )
}

const allow = (principal: unknown, condition?: JsonObject) => ({
  Version: '2012-10-17',
  Statement: [
    { Effect: 'Allow', Principal: principal, Action: '*', ...(condition ? { Condition: condition } : {}) },
  ],
})

it.each([
  ['guardduty:DeleteDetector', 'threat-detection'],
  ['config:StopConfigurationRecorder', 'configuration-record'],
  ['organizations:LeaveOrganization', 'organisation'],
  ['cloudtrail:StopLogging', undefined],
  ['guardduty:ListDetectors', undefined],
])('%s hits %s', (action, guard) => {
  expect(mean(action).details.guard).toBe(guard)
})

describe('access level', () => {
  it.each([
    ['s3:ListBuckets', undefined, 'list'],
    ['ec2:DescribeInstances', true, 'list'],
    ['dynamodb:GetItem', true, 'read'],
    ['kms:GenerateDataKey', true, 'read'],
    ['dynamodb:GetRecords', false, 'write'],
    ['s3:PutObject', false, 'write'],
    ['s3:PutObject', undefined, 'write'],
    ['s3:PutBucketPolicy', false, 'permissions'],
    ['newservice:PutResourcePolicy', false, 'permissions'],
    ['newservice:DeleteResourcePolicy', undefined, 'permissions'],
    ['autoscaling:PutScalingPolicy', false, 'write'],
    ['s3:GetBucketPolicy', true, 'read'],
    ['iam:AttachRolePolicy', false, 'permissions'],
    ['lambda:AddPermission20150331v2', false, 'permissions'],
    ['ec2:CreateTags', false, 'tagging'],
    ['iam:TagRole', false, 'tagging'],
    ['ec2:DescribeTags', true, 'list'],
    ['sts:AssumeRole', true, 'auth'],
    ['signin:ConsoleLogin', false, 'auth'],
    ['sts:GetCallerIdentity', true, 'read'],
  ])('%s with readOnly %s is %s', (action, readOnly, level) => {
    const [service = '', operation = ''] = action.split(':')
    expect(accessLevelOf(operationShape(`${service}.amazonaws.com`, operation), readOnly)).toBe(level)
  })

  it('takes the API version off the operation', () => {
    expect(operationShape('lambda.amazonaws.com', 'UpdateFunctionCode20150331v2').key).toBe(
      'lambda:UpdateFunctionCode',
    )
    expect(operationShape('cloudfront.amazonaws.com', 'UpdateDistribution2020_05_31').key).toBe(
      'cloudfront:UpdateDistribution',
    )
    expect(operationShape('s3.amazonaws.com', 'GetObject').key).toBe('s3:GetObject')
  })
})

describe('effects by name', () => {
  it.each([
    ['cloudtrail:StopLogging', 'audit-tampering'],
    ['config:StopConfigurationRecorder', 'audit-tampering'],
    ['guardduty:DeleteDetector', 'audit-tampering'],
    ['ec2:DeleteFlowLogs', 'audit-tampering'],
    ['organizations:LeaveOrganization', 'audit-tampering'],
    ['route53resolver:DeleteResolverQueryLogConfig', 'audit-tampering'],
    ['iam:CreateAccessKey', 'credential-minting'],
    ['iam:CreateLoginProfile', 'credential-minting'],
    ['iam:AttachUserPolicy', 'permission-grant'],
    ['iam:UpdateAssumeRolePolicy', 'trust-change'],
    ['iam:CreateOpenIDConnectProvider', 'trust-change'],
    ['rolesanywhere:CreateTrustAnchor', 'trust-change'],
    ['iam:CreateUser', 'identity-creation'],
    ['lambda:UpdateFunctionCode20150331v2', 'code-change'],
    ['ec2:RunInstances', 'compute-launch'],
    ['ssm:SendCommand', 'remote-execution'],
    ['ssm:StartSession', 'remote-execution'],
    ['secretsmanager:GetSecretValue', 'secret-read'],
    ['secretsmanager:BatchGetSecretValue', 'secret-read'],
    ['ec2:GetPasswordData', 'secret-read'],
    ['kms:ScheduleKeyDeletion', 'data-destruction'],
    ['sts:AssumeRole', 'impersonation'],
    ['sts:AssumeRoleWithWebIdentity', 'impersonation'],
    ['ec2:DescribeInstances', ''],
    ['s3:PutObject', ''],
    ['iam:ListUsers', ''],
    ['constructor:toString', ''],
  ])('%s → %j', (action, effect) => {
    expect(mean(action).effect).toBe(effect)
  })

  it('knows only words of the system', () => {
    const words: readonly string[] = EFFECTS
    for (const rule of OPERATION_EFFECTS.values()) if (typeof rule === 'string') expect(words).toContain(rule)
    expect(OPERATION_EFFECTS.size).toBeGreaterThan(250)
  })
})

describe('effects by parameters: each with the twin that has none', () => {
  const selectors = (rest: JsonObject) => ({
    eventSelectors: [{ readWriteType: 'All', includeManagementEvents: true, ...rest }],
  })
  const world = {
    ipPermissions: { items: [{ ipRanges: { items: [{ cidrIp: '0.0.0.0/0' }] }, ipv6Ranges: {} }] },
  }
  const inside = {
    ipPermissions: { items: [{ ipRanges: { items: [{ cidrIp: '10.0.0.0/8' }] }, ipv6Ranges: {} }] },
  }
  const world6 = {
    ipPermissions: { items: [{ ipRanges: {}, ipv6Ranges: { items: [{ cidrIpv6: '::/0' }] } }] },
  }
  const lifecycle = (days: number, id: string) => ({
    bucketName: 'b',
    LifecycleConfiguration: { Rule: { Status: 'Enabled', Expiration: { Days: days }, ID: id } },
  })
  const share = (item: JsonObject, side: string) => ({
    snapshotId: 's',
    createVolumePermission: { [side]: { items: [item] } },
  })
  it.each<[string, JsonObject, string]>([
    ['ec2:AuthorizeSecurityGroupIngress', world, 'network-opening'],
    ['ec2:AuthorizeSecurityGroupIngress', world6, 'network-opening'],
    ['ec2:AuthorizeSecurityGroupIngress', inside, ''],
    ['ec2:AuthorizeSecurityGroupIngress', { cidrIp: '128.0.0.0/1' }, 'network-opening'],
    ['ec2:AuthorizeSecurityGroupIngress', { cidrIp: '11.0.0.0/8' }, ''],
    ['ec2:AuthorizeSecurityGroupIngress', { cidrIp: 'fc00::/7' }, ''],
    ['ec2:AuthorizeSecurityGroupIngress', { cidrIp: '2000::/3' }, 'network-opening'],
    ['ec2:AuthorizeSecurityGroupIngress', { cidrIp: '0.0.0.0/0', fromPort: 22 }, 'network-opening'],
    ['ec2:RevokeSecurityGroupIngress', world, ''],
    ['cloudtrail:PutEventSelectors', selectors({}), ''],
    ['cloudtrail:PutEventSelectors', selectors({ includeManagementEvents: false }), 'audit-tampering'],
    ['cloudtrail:PutEventSelectors', selectors({ readWriteType: 'ReadOnly' }), 'audit-tampering'],
    [
      'cloudtrail:PutEventSelectors',
      selectors({ excludeManagementEventSources: ['kms.amazonaws.com'] }),
      'audit-tampering',
    ],
    ['cloudtrail:UpdateTrail', { name: 't', s3BucketName: 'elsewhere' }, 'audit-tampering'],
    ['cloudtrail:UpdateTrail', { name: 't', isMultiRegionTrail: false }, 'audit-tampering'],
    ['cloudtrail:UpdateTrail', { name: 't', isMultiRegionTrail: true }, ''],
    ['guardduty:UpdateDetector', { enable: false }, 'audit-tampering'],
    ['guardduty:UpdateDetector', { enable: true }, ''],
    ['logs:DeleteLogGroup', { logGroupName: '/vpc/flow-logs' }, 'audit-tampering'],
    ['logs:DeleteLogGroup', { logGroupName: '/aws/lambda/thumbnails' }, 'data-destruction'],
    ['s3:PutBucketLifecycle', lifecycle(1, 'nuke-cloudtrail'), 'audit-tampering'],
    ['s3:PutBucketLifecycle', lifecycle(1, 'tidy'), 'data-destruction'],
    ['s3:PutBucketLifecycle', lifecycle(365, 'nuke-cloudtrail'), ''],
    ['ec2:ModifySnapshotAttribute', share({ userId: OTHER }, 'add'), 'sharing-outside'],
    ['ec2:ModifySnapshotAttribute', share({ group: 'all' }, 'add'), 'sharing-outside'],
    ['ec2:ModifySnapshotAttribute', share({ userId: ACCOUNT }, 'add'), ''],
    ['ec2:ModifySnapshotAttribute', share({ userId: OTHER }, 'remove'), ''],
    [
      'ec2:ModifyImageAttribute',
      { launchPermission: { add: { items: [{ group: 'all' }] } } },
      'sharing-outside',
    ],
    ['rds:ModifyDBSnapshotAttribute', { attributeName: 'restore', valuesToAdd: [OTHER] }, 'sharing-outside'],
    ['rds:ModifyDBSnapshotAttribute', { attributeName: 'restore', valuesToRemove: [OTHER] }, ''],
    ['s3:PutBucketPolicy', { bucketPolicy: allow('*') }, 'sharing-outside'],
    ['s3:PutBucketPolicy', { bucketPolicy: allow({ AWS: `arn:aws:iam::${OTHER}:root` }) }, 'sharing-outside'],
    [
      's3:PutBucketPolicy',
      { bucketPolicy: allow({ AWS: `arn:aws:iam::${ACCOUNT}:root` }) },
      'permission-grant',
    ],
    [
      's3:PutBucketPolicy',
      { bucketPolicy: allow('*', { StringEquals: { 'aws:PrincipalOrgID': 'o-1' } }) },
      'permission-grant',
    ],
    ['s3:PutBucketAcl', { 'x-amz-acl': ['public-read'] }, 'sharing-outside'],
    ['s3:PutBucketAcl', { 'x-amz-acl': ['private'] }, ''],
    ['lambda:AddPermission', { principal: '*', functionName: 'f' }, 'sharing-outside'],
    ['lambda:AddPermission', { principal: OTHER, functionName: 'f' }, 'sharing-outside'],
    ['lambda:AddPermission', { principal: 's3.amazonaws.com', functionName: 'f' }, 'permission-grant'],
    ['lambda:AddLayerVersionPermission', { principal: '*' }, 'sharing-outside'],
    [
      'lambda:UpdateFunctionConfiguration',
      { layers: ['arn:aws:lambda:eu-west-1:1:layer:x:1'] },
      'code-change',
    ],
    ['lambda:UpdateFunctionConfiguration', { timeout: 30, environment: {} }, ''],
    ['ec2:ModifyInstanceAttribute', { userData: '<sensitiveDataRemoved>' }, 'code-change'],
    ['ec2:ModifyInstanceAttribute', { disableApiTermination: { value: false } }, ''],
    ['ec2:DescribeInstanceAttribute', { attribute: 'userData' }, 'secret-read'],
    ['ec2:DescribeInstanceAttribute', { attribute: 'rootDeviceName' }, ''],
    ['ssm:GetParameter', { name: '/x', withDecryption: true }, 'secret-read'],
    ['ssm:GetParameter', { name: '/x', withDecryption: false }, ''],
    ['iam:UpdateAccessKey', { status: 'Active' }, 'credential-minting'],
    ['iam:UpdateAccessKey', { status: 'Inactive' }, ''],
    ['iam:CreatePolicyVersion', { setAsDefault: true }, 'permission-grant'],
    ['iam:CreatePolicyVersion', { setAsDefault: false }, ''],
    ['iam:AttachUserPolicy', { policyArn: 'arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV2' }, ''],
    [
      'iam:PutUserPolicy',
      { policyDocument: JSON.stringify({ Statement: [{ Effect: 'Deny', Action: '*', Resource: '*' }] }) },
      '',
    ],
    ['sqs:SetQueueAttributes', { attributes: { Policy: JSON.stringify(allow('*')) } }, 'sharing-outside'],
    ['sqs:SetQueueAttributes', { attributes: { VisibilityTimeout: '30' } }, ''],
    [
      'ec2:CreateNetworkAclEntry',
      { ruleAction: 'allow', egress: false, cidrBlock: '0.0.0.0/0' },
      'network-opening',
    ],
    ['ec2:CreateNetworkAclEntry', { ruleAction: 'allow', egress: true, cidrBlock: '0.0.0.0/0' }, ''],
  ])('%s %j → %j', (action, parameters, effect) => {
    expect(mean(action, parameters).effect).toBe(effect)
  })

  it('does not take a decryption by a service for the reading of a secret', () => {
    expect(mean('kms:Decrypt').effect).toBe('secret-read')
    expect(mean('kms:Decrypt', {}, { viaService: true }).effect).toBe('')
  })
})

describe('details', () => {
  it('names the user, the issued key and its owner', () => {
    const { details } = mean(
      'iam:CreateAccessKey',
      { userName: 'backup' },
      { response: { accessKey: { accessKeyId: 'AKIAEXAMPLE' } } },
    )
    expect(details).toEqual({
      targetIdentity: `arn:aws:iam::${ACCOUNT}:user/backup`,
      issuedCredential: 'AKIAEXAMPLE',
      issuedTo: `arn:aws:iam::${ACCOUNT}:user/backup`,
    })
  })

  it('takes the caller when a key is made without naming a user', () => {
    expect(mean('iam:CreateAccessKey').details.targetIdentity).toBe(CALLER)
  })

  it('names policy and grantee of an attachment', () => {
    expect(
      mean('iam:AttachRolePolicy', {
        roleName: 'app',
        policyArn: 'arn:aws:iam::aws:policy/AdministratorAccess',
      }).details,
    ).toEqual({
      targetIdentity: `arn:aws:iam::${ACCOUNT}:role/app`,
      grantee: `arn:aws:iam::${ACCOUNT}:role/app`,
      grant: 'arn:aws:iam::aws:policy/AdministratorAccess',
    })
  })

  it('reads URL-encoded trust policies and names the outside tenant', () => {
    const policyDocument = encodeURIComponent(
      JSON.stringify(allow({ AWS: [`arn:aws:iam::${ACCOUNT}:root`, `arn:aws:iam::${OTHER}:root`] })),
    )
    const { details, effect } = mean('iam:UpdateAssumeRolePolicy', { roleName: 'app', policyDocument })
    expect(effect).toBe('trust-change')
    expect(details).toMatchObject({ grantee: `arn:aws:iam::${OTHER}:root`, targetTenant: OTHER })
  })

  it('names the assumed role and the session key', () => {
    const roleArn = `arn:aws:iam::${OTHER}:role/audit`
    const { details } = mean(
      'sts:AssumeRole',
      { roleArn },
      { response: { credentials: { accessKeyId: 'ASIAEXAMPLE' } } },
    )
    expect(details).toEqual({
      targetIdentity: roleArn,
      issuedCredential: 'ASIAEXAMPLE',
      issuedTo: roleArn,
      targetTenant: OTHER,
    })
  })

  it('says that a boundary is gone', () => {
    expect(mean('iam:DeleteRolePermissionsBoundary', { roleName: 'app' })).toMatchObject({
      effect: 'permission-grant',
      details: { grant: 'boundary-removed' },
    })
  })
})

describe('resources', () => {
  it.each<[string, JsonObject, string, string]>([
    ['s3:GetObject', { bucketName: 'b', key: 'k' }, 's3:bucket', 'arn:aws:s3:::b'],
    [
      'lambda:Invoke',
      { functionName: 'f' },
      'lambda:function',
      `arn:aws:lambda:eu-west-1:${ACCOUNT}:function:f`,
    ],
    ['kms:Encrypt', { keyId: 'alias/x' }, 'kms:key', `arn:aws:kms:eu-west-1:${ACCOUNT}:alias/x`],
    ['ssm:GetParameter', { name: '/a/b' }, 'ssm:parameter', `arn:aws:ssm:eu-west-1:${ACCOUNT}:parameter/a/b`],
    [
      'dynamodb:GetItem',
      { tableName: 't' },
      'dynamodb:table',
      `arn:aws:dynamodb:eu-west-1:${ACCOUNT}:table/t`,
    ],
    ['sqs:SendMessage', { queueUrl: 'https://sqs/1/q' }, 'sqs:queue', `arn:aws:sqs:eu-west-1:${ACCOUNT}:q`],
    ['iam:DeleteUser', { userName: 'u' }, 'iam:user', `arn:aws:iam::${ACCOUNT}:user/u`],
    ['sts:AssumeRole', { roleArn: 'arn:aws:iam::1:role/r' }, 'iam:role', 'arn:aws:iam::1:role/r'],
  ])('%s %j', (action, parameters, resourceClass, first) => {
    const targets = targetsOf(callOf(action, parameters), [])
    expect(targets.resourceClass).toBe(resourceClass)
    expect(targets.resources[0]).toBe(first)
  })

  it('cuts objects to their bucket, drops repeats and keeps eight at most', () => {
    const listed = Array.from(
      { length: 30 },
      (_, index) => `arn:aws:s3:::bucket-${Math.floor(index / 2)}/object-${index}`,
    )
    const { resources, resourceClass } = targetsOf(callOf('s3:GetObject', {}), listed)
    expect(resources).toHaveLength(8)
    expect(resources[1]).toBe('arn:aws:s3:::bucket-1')
    expect(resourceClass).toBe('s3:bucket')
  })
})

describe('policies', () => {
  it('lets nobody in by a Deny, everybody by NotPrincipal', () => {
    expect(policyPrincipals({ Statement: { Effect: 'Deny', Principal: '*' } })).toEqual([])
    expect(policyPrincipals({ Statement: { Effect: 'Allow', NotPrincipal: { AWS: '1' } } })).toEqual(['*'])
  })

  it('knows who is outside', () => {
    expect(isOutside('*', ACCOUNT)).toBe(true)
    expect(isOutside(OTHER, ACCOUNT)).toBe(true)
    expect(isOutside(`arn:aws:iam::${ACCOUNT}:root`, ACCOUNT)).toBe(false)
    expect(isOutside('lambda.amazonaws.com', ACCOUNT)).toBe(false)
    expect(isOutside(OTHER, '')).toBe(false)
  })
})

it('judges an error by its code', () => {
  expect(awsOutcome({ errorCode: 'Client.UnauthorizedOperation' }, {}).outcome).toBe('denied')
  expect(awsOutcome({ errorCode: 'VpceAccessDenied' }, {}).outcome).toBe('denied')
  expect(awsOutcome({ errorCode: 'ThrottlingException' }, {}).outcome).toBe('failure')
  expect(awsOutcome({ errorCode: null }, {}).outcome).toBe('success')
  expect(awsOutcome({ eventName: 'ConsoleLogin' }, { ConsoleLogin: 'Failure' }).outcome).toBe('denied')
})

it('never throws on parameters of any shape', () => {
  const keys = [...OPERATION_EFFECTS.keys()]
  const names = [
    'bucketPolicy',
    'policy',
    'attributes',
    'createVolumePermission',
    'valuesToAdd',
    'eventSelectors',
    'logging',
    'policyDocument',
    'instancesSet',
    'LifecycleConfiguration',
  ]
  fc.assert(
    fc.property(
      fc.constantFrom(...keys),
      fc.dictionary(fc.constantFrom(...names), fc.jsonValue()),
      (key, parameters) => {
        const parsed: JsonObject = JSON.parse(JSON.stringify(parameters))
        const meaning = mean(key, parsed, { response: parsed })
        for (const value of Object.values(meaning.details)) expect(typeof value).toBe('string')
        targetsOf(callOf(key, parsed), [])
      },
    ),
    { numRuns: 500 },
  )
})

it('survives lists nested beyond reason', () => {
  let items: JsonObject = {}
  for (let depth = 0; depth < 50_000; depth++) items = { items }
  const parameters = { createVolumePermission: { add: items }, ipPermissions: items }
  expect(mean('ec2:ModifySnapshotAttribute', parameters).effect).toBe('')
  expect(mean('ec2:AuthorizeSecurityGroupIngress', parameters).effect).toBe('')
})

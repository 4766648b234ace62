import { z } from 'zod'
import { awsOutcome, meaningOf, operationShape } from '../aws-actions.ts'
import type { AwsCall } from '../aws-grants.ts'
import { awsCaller } from '../aws-identity.ts'
import { targetsOf } from '../aws-targets.ts'
import { asObject } from '../json-values.ts'
import { accepted, dead, filtered } from '../outcome.ts'
import { defineSource, type JsonObject, type Sample } from '../source.ts'
import { parseTime } from '../time.ts'

const text = z.string().nullish()

/** Request parameters and response elements have a shape of their own for every operation: read by hand, not by schema. */
const schema = z.object({
  eventID: text,
  eventTime: z.union([z.string(), z.number()]).nullish(),
  eventType: text,
  eventCategory: text,
  eventSource: text,
  eventName: text,
  awsRegion: text,
  sourceIPAddress: text,
  userAgent: text,
  errorCode: text,
  errorMessage: text,
  requestID: text,
  recipientAccountId: text,
  readOnly: z.boolean().nullish(),
  sessionCredentialFromConsole: z.union([z.string(), z.boolean()]).nullish(),
  digestS3Bucket: text,
  resources: z.array(z.object({ ARN: text, arn: text })).nullish(),
  requestParameters: z.unknown().optional(),
  responseElements: z.unknown().optional(),
  additionalEventData: z.unknown().optional(),
  userIdentity: z
    .object({
      type: text,
      principalId: text,
      arn: text,
      accountId: text,
      accessKeyId: text,
      userName: text,
      invokedBy: text,
      identityProvider: text,
      credentialId: text,
      onBehalfOf: z.object({ userId: text, identityStoreArn: text }).nullish(),
      inScopeOf: z.object({ credentialsIssuedTo: text }).nullish(),
      sessionContext: z
        .object({
          sessionIssuer: z.object({ arn: text, accountId: text }).nullish(),
          webIdFederationData: z.object({ federatedProvider: text }).nullish(),
          attributes: z.object({ mfaAuthenticated: z.union([z.string(), z.boolean()]).nullish() }).nullish(),
          ec2RoleDelivery: text,
        })
        .nullish(),
    })
    .nullish(),
})

type CloudTrailRecord = z.infer<typeof schema>

const time = '2026-03-02T08:15:30Z'
const role = 'arn:aws:iam::111122223333:role/orders-worker'
const key = 'AKIAEXAMPLEEXAMPLE01'

const roleUser = {
  type: 'AssumedRole',
  principalId: 'AROAEXAMPLE1:i-0123456789abcdef0',
  arn: 'arn:aws:sts::111122223333:assumed-role/orders-worker/i-0123456789abcdef0',
  accountId: '111122223333',
  accessKeyId: 'ASIAEXAMPLEEXAMPLE01',
  sessionContext: {
    sessionIssuer: { type: 'Role', arn: role, accountId: '111122223333' },
    ec2RoleDelivery: '2.0',
  },
}

const user = {
  type: 'IAMUser',
  principalId: 'AIDAEXAMPLE1',
  arn: 'arn:aws:iam::111122223333:user/ci-bot',
  accountId: '111122223333',
  accessKeyId: key,
  userName: 'ci-bot',
}

const record = (name: string, userIdentity: JsonObject, rest: JsonObject): JsonObject => ({
  eventVersion: '1.09',
  eventID: `00000000-0000-4000-8000-0000000000${name.length}`,
  eventTime: time,
  eventSource: 'ec2.amazonaws.com',
  eventName: name,
  eventType: 'AwsApiCall',
  awsRegion: 'eu-west-1',
  sourceIPAddress: '198.51.100.7',
  userAgent: 'aws-sdk-go-v2/1.30.3',
  errorCode: null,
  responseElements: null,
  recipientAccountId: '111122223333',
  userIdentity,
  ...rest,
})

const samples: readonly Sample[] = [
  {
    name: 'role of an instance: the identity is the role, the instance is where the session was issued',
    record: record('DescribeInstances', roleUser, { readOnly: true }),
    expect: {
      outcome: 'accepted',
      draft: {
        'identity.id': role,
        'identity.kind': 'role',
        'identity.tenant': '111122223333',
        'identity.human': 'no',
        action: 'ec2.amazonaws.com:DescribeInstances',
        accessLevel: 'list',
        outcome: 'success',
        credential: 'ASIAEXAMPLEEXAMPLE01',
        authMethod: 'session',
        session: 'i-0123456789abcdef0',
        'issuance.workload': 'i-0123456789abcdef0',
        origin: '198.51.100.7',
        time: 1_772_439_330_000,
      },
    },
  },
  {
    name: 'user mints a key for another user',
    record: record('CreateAccessKey', user, {
      eventSource: 'iam.amazonaws.com',
      requestParameters: { userName: 'backup' },
      responseElements: {
        accessKey: { accessKeyId: 'AKIAEXAMPLEEXAMPLE02', userName: 'backup', status: 'Active' },
      },
    }),
    expect: {
      outcome: 'accepted',
      draft: {
        'identity.id': user.arn,
        'identity.kind': 'user',
        'identity.human': 'unknown',
        authMethod: 'long-term-key',
        accessLevel: 'permissions',
        effect: 'credential-minting',
        resourceClass: 'iam:user',
        'details.targetIdentity': 'arn:aws:iam::111122223333:user/backup',
        'details.issuedCredential': 'AKIAEXAMPLEEXAMPLE02',
        'details.issuedTo': 'arn:aws:iam::111122223333:user/backup',
      },
    },
  },
  {
    name: 'service calls with its own identity',
    record: record(
      'AssumeRole',
      { type: 'AWSService', invokedBy: 'lambda.amazonaws.com' },
      {
        eventSource: 'sts.amazonaws.com',
        sourceIPAddress: 'lambda.amazonaws.com',
        requestParameters: { roleArn: role },
      },
    ),
    expect: {
      outcome: 'accepted',
      draft: {
        'identity.id': 'lambda.amazonaws.com',
        'identity.kind': 'cloud-service',
        accessLevel: 'auth',
        effect: 'impersonation',
        origin: 'lambda.amazonaws.com',
        'details.targetIdentity': role,
      },
    },
  },
  {
    name: 'service calls on behalf of a role: the service is the origin, the role did not move',
    record: record(
      'RunInstances',
      { ...roleUser, principalId: 'AROAEXAMPLE1:AutoScaling', invokedBy: 'autoscaling.amazonaws.com' },
      { sourceIPAddress: 'autoscaling.amazonaws.com', readOnly: false },
    ),
    expect: {
      outcome: 'accepted',
      draft: {
        'identity.id': role,
        origin: 'autoscaling.amazonaws.com',
        effect: 'compute-launch',
        accessLevel: 'write',
      },
    },
  },
  {
    name: 'refused call',
    record: record('GetSecretValue', user, {
      eventSource: 'secretsmanager.amazonaws.com',
      errorCode: 'AccessDeniedException',
      requestParameters: { secretId: 'payments/db' },
      readOnly: true,
    }),
    expect: {
      outcome: 'accepted',
      draft: {
        outcome: 'denied',
        errorCode: 'AccessDeniedException',
        effect: 'secret-read',
        accessLevel: 'read',
        'resources.0': 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:payments/db',
      },
    },
  },
  {
    name: 'failed console sign-in of the root user',
    record: record(
      'ConsoleLogin',
      {
        type: 'Root',
        principalId: '111122223333',
        arn: 'arn:aws:iam::111122223333:root',
        accountId: '111122223333',
      },
      {
        eventSource: 'signin.amazonaws.com',
        eventType: 'AwsConsoleSignIn',
        errorMessage: 'Failed authentication',
        responseElements: { ConsoleLogin: 'Failure' },
      },
    ),
    expect: {
      outcome: 'accepted',
      draft: {
        class: 'authentication',
        'identity.kind': 'root',
        'identity.human': 'yes',
        outcome: 'denied',
        authMethod: 'console',
      },
    },
  },
  {
    name: 'workload of an outside identity provider',
    record: record(
      'AssumeRoleWithWebIdentity',
      {
        type: 'WebIdentityUser',
        principalId:
          'arn:aws:iam::111122223333:oidc-provider/token.ci.example:sts.amazonaws.com:repo:acme/shop',
        userName: 'repo:acme/shop',
        identityProvider: 'arn:aws:iam::111122223333:oidc-provider/token.ci.example',
      },
      { eventSource: 'sts.amazonaws.com', requestParameters: { roleArn: role } },
    ),
    expect: {
      outcome: 'accepted',
      draft: {
        'identity.id':
          'aws:federated:arn:aws:iam::111122223333:oidc-provider/token.ci.example:repo:acme/shop',
        'identity.kind': 'federated',
        'identity.tenant': '111122223333',
        authMethod: 'web-identity',
      },
    },
  },
  {
    name: 'caller of another account',
    record: record(
      'GetObject',
      { type: 'AWSAccount', principalId: 'AROAEXAMPLE9:job', accountId: '444455556666' },
      {
        eventSource: 's3.amazonaws.com',
        requestParameters: { bucketName: 'invoices', key: '2026/03/1.pdf' },
        resources: [{ type: 'AWS::S3::Object', ARN: 'arn:aws:s3:::invoices/2026/03/1.pdf' }],
        additionalEventData: { bytesTransferredOut: 5120 },
      },
    ),
    expect: {
      outcome: 'accepted',
      draft: {
        'identity.id': 'aws:account:444455556666:AROAEXAMPLE9',
        'identity.kind': 'account',
        session: 'job',
        resourceClass: 's3:bucket',
        'resources.0': 'arn:aws:s3:::invoices',
        bytesOut: 5120,
      },
    },
  },
  {
    name: 'record whose identity was removed',
    record: { eventSource: 'ec2.amazonaws.com', eventName: 'DescribeVpcs', eventTime: time, eventID: 'e-1' },
    expect: { outcome: 'filtered', reason: 'no-identity' },
  },
  {
    name: 'insight record: a statistic, not a call',
    record: {
      eventType: 'AwsCloudTrailInsight',
      eventCategory: 'Insight',
      eventTime: time,
      insightDetails: {},
    },
    expect: { outcome: 'filtered', reason: 'insight' },
  },
  {
    name: 'digest file: proof about log files, not a call',
    record: { awsAccountId: '111122223333', digestStartTime: time, digestS3Bucket: 'trail', logFiles: [] },
    expect: { outcome: 'filtered', reason: 'digest' },
  },
  {
    name: 'identity of a wrong type',
    record: {
      eventSource: 'ec2.amazonaws.com',
      eventName: 'DescribeVpcs',
      eventTime: time,
      userIdentity: 'root',
    },
    expect: { outcome: 'dead', reason: 'wrong-type' },
  },
]

/** AWS CloudTrail records. Blind to data events that the trail does not record, and to what services do inside. */
export const source = defineSource<CloudTrailRecord>({
  id: 'cloudtrail',
  title: 'AWS CloudTrail',
  kind: 'cloudtrail',
  sees: 'API calls, console sign-ins and service events of AWS accounts, with role, session, key and origin.',
  misses:
    'Data events unless the trail records them; parameters that AWS hides; the address behind a cloud service.',
  needs: 'Trail files from S3, EventBridge events or a CloudWatch Logs subscription.',
  documentation: 'https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference.html',
  format: 'json',
  recognises: (entry) =>
    (typeof entry.eventSource === 'string' &&
      typeof entry.eventName === 'string' &&
      (entry.userIdentity !== undefined || entry.eventTime !== undefined)) ||
    entry.eventType === 'AwsCloudTrailInsight' ||
    (typeof entry.digestS3Bucket === 'string' && entry.digestStartTime !== undefined),
  schema,
  samples,
  normalise(entry, context) {
    if (entry.digestS3Bucket && !entry.eventName) return filtered('digest')
    if (entry.eventCategory === 'Insight' || entry.eventType === 'AwsCloudTrailInsight')
      return filtered('insight')
    const { eventSource, eventName, userIdentity } = entry
    if (!eventSource || !eventName)
      return dead('normalise', 'missing-field', 'cloudtrail: eventSource or eventName is empty')
    const at = entry.eventTime == null ? undefined : parseTime(entry.eventTime)
    if (at === undefined) return dead('normalise', 'bad-time', 'cloudtrail: eventTime: not a time')
    if (!userIdentity) return filtered('no-identity')

    const signIn = entry.eventType === 'AwsConsoleSignIn' || eventSource === 'signin.amazonaws.com'
    const userAgent = (entry.userAgent ?? '').slice(0, 512)
    const recipientAccount = entry.recipientAccountId || userIdentity.accountId || ''
    const caller = awsCaller(userIdentity, {
      recipientAccount,
      fromConsole: isTrue(entry.sessionCredentialFromConsole),
      signIn,
    })
    if (caller === undefined) return filtered('no-identity')

    const shape = operationShape(eventSource, eventName)
    const region = entry.awsRegion ?? ''
    // `signin.amazonaws.com` as invoker marks an old console session, which keeps the address of the person.
    const invoker = userIdentity.invokedBy === 'signin.amazonaws.com' ? '' : (userIdentity.invokedBy ?? '')
    const response = asObject(entry.responseElements)
    const call: AwsCall = {
      service: shape.service,
      operation: shape.operation,
      partition: partitionOf(region),
      region,
      account: recipientAccount,
      caller: caller.identity.id,
      viaService: invoker !== '',
      parameters: unwrapRequest(asObject(entry.requestParameters), shape.operation),
      response,
    }
    const meaning = meaningOf(shape, call, entry.readOnly ?? undefined)
    const targets = targetsOf(call, listedArns(entry.resources))
    const verdict = awsOutcome(entry, response)
    const bytesOut = asObject(entry.additionalEventData).bytesTransferredOut
    return accepted({
      eventId: entry.eventID || context.recordHash(),
      time: at,
      class: signIn ? 'authentication' : 'api_activity',
      identity: caller.identity,
      action: `${eventSource}:${eventName}`.slice(0, 256),
      service: eventSource.slice(0, 128),
      accessLevel: meaning.accessLevel,
      effect: meaning.effect || undefined,
      outcome: verdict.outcome,
      errorCode: verdict.errorCode,
      origin: (invoker || entry.sourceIPAddress || '').slice(0, 256) || undefined,
      resourceClass: targets.resourceClass,
      resources: targets.resources,
      credential: caller.credential,
      authMethod: caller.authMethod,
      session: caller.session,
      issuance: caller.issuance,
      userAgent,
      region,
      requestId: entry.requestID ?? undefined,
      actingAs:
        userIdentity.onBehalfOf?.userId && userIdentity.type !== 'IdentityCenterUser'
          ? userIdentity.onBehalfOf.userId
          : undefined,
      bytesOut: typeof bytesOut === 'number' && bytesOut >= 0 ? bytesOut : undefined,
      details: meaning.details,
    })
  },
})

function isTrue(value: unknown): boolean {
  return value === true || value === 'true'
}

function partitionOf(region: string): string {
  if (region.startsWith('cn-')) return 'aws-cn'
  return region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws'
}

/** Newer EC2 operations wrap their parameters in `<Operation>Request`. */
function unwrapRequest(parameters: JsonObject, operation: string): JsonObject {
  const name = `${operation}Request`
  return Object.hasOwn(parameters, name) ? asObject(parameters[name]) : parameters
}

const NONE: readonly string[] = []

function listedArns(resources: CloudTrailRecord['resources']): readonly string[] {
  if (!resources || resources.length === 0) return NONE
  return resources.slice(0, 32).map((resource) => resource.ARN || resource.arn || '')
}

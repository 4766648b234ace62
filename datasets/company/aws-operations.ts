import type { Random } from '../random.ts'
import { ACCOUNT, REGION } from './cloudtrail-record.ts'

/** A call that an AWS identity of the company makes. */
export interface AwsOperation {
  readonly service: string
  readonly name: string
  /** How often, relative to the identity's other calls. */
  readonly weight: number
  readonly readOnly: boolean
  /** Share of calls answered by an error, and which; throttling comes on top for everything. */
  readonly errors?: readonly [code: string, message: string, share: number]
  /** Request parameters, resources and bytes of one call, for a workload of this name. */
  readonly request: (random: Random, name: string) => AwsRequest
  /** Weeks after the company's start at which a deployment brought this call; always there when absent. */
  readonly sinceWeek?: number
}

export interface AwsRequest {
  readonly parameters: string
  readonly resources?: string
  readonly response?: string
  readonly bytesOut?: number
}

export const bucketOf = (name: string): string => `synthetic-${name}-data`

const s3 = (bucket: string, key: string, bytesOut: number, call = 'GetObject'): AwsRequest => ({
  parameters: `{"bucketName":"${bucket}","Host":"${bucket}.s3.${REGION}.amazonaws.com","key":"${key}","x-id":"${call}"}`,
  resources: `[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::${bucket}/${key}"},{"accountId":"${ACCOUNT}","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::${bucket}"}]`,
  bytesOut,
})

/** One S3 object read of the given size: for attacks and for the tables below. */
export const objectRead = s3

const arn = (service: string, rest: string): string => `arn:aws:${service}:${REGION}:${ACCOUNT}:${rest}`
const read = (service: string, name: string, weight: number, request: AwsOperation['request']) => ({
  service,
  name,
  weight,
  readOnly: true,
  request,
})
const write = (service: string, name: string, weight: number, request: AwsOperation['request']) => ({
  service,
  name,
  weight,
  readOnly: false,
  request,
})
const plain = (parameters: string) => (): AwsRequest => ({ parameters })

const describe = (service: string, name: string, weight: number, parameters = 'null'): AwsOperation =>
  read(service, name, weight, plain(parameters))

const getObject = (weight: number): AwsOperation => ({
  ...read('s3', 'GetObject', weight, (random, name) =>
    s3(bucketOf(name), `2026/part-${random.int(4000)}.parquet`, Math.round(random.logNormal(40_000, 0.9))),
  ),
  errors: ['NoSuchKey', 'The specified key does not exist.', 0.01],
})
const putObject = (weight: number): AwsOperation =>
  write('s3', 'PutObject', weight, (random, name) =>
    s3(bucketOf(name), `out/${random.int(9000)}.parquet`, 0, 'PutObject'),
  )
const secret = (weight: number): AwsOperation =>
  read('secretsmanager', 'GetSecretValue', weight, (random, name) => ({
    parameters: `{"secretId":"${arn('secretsmanager', `secret:synthetic/${name}/${random.chance(0.7) ? 'database' : 'signing-key'}`)}","versionStage":"AWSCURRENT"}`,
  }))
const decrypt = (weight: number): AwsOperation =>
  read('kms', 'Decrypt', weight, (_random, name) => ({
    parameters: `{"encryptionContext":{"aws:s3:arn":"arn:aws:s3:::${bucketOf(name)}"},"encryptionAlgorithm":"SYMMETRIC_DEFAULT"}`,
    resources: `[{"accountId":"${ACCOUNT}","type":"AWS::KMS::Key","ARN":"${arn('kms', `key/synthetic-${name}`)}"}]`,
  }))
const table = (name: string, weight: number, readOnly: boolean): AwsOperation => ({
  service: 'dynamodb',
  name,
  weight,
  readOnly,
  request: (random, owner) => ({
    parameters: `{"tableName":"synthetic-${owner}","key":{"id":{"S":"${random.hex(12)}"}},"consistentRead":false,"returnConsumedCapacity":"NONE"}`,
    resources: `[{"accountId":"${ACCOUNT}","type":"AWS::DynamoDB::Table","ARN":"${arn('dynamodb', `table/synthetic-${owner}`)}"}]`,
  }),
})
const queue = (name: string, weight: number): AwsOperation =>
  write('sqs', name, weight, (_random, owner) => ({
    parameters: `{"queueUrl":"https://sqs.${REGION}.amazonaws.com/${ACCOUNT}/synthetic-${owner}-events","maxNumberOfMessages":10,"waitTimeSeconds":20}`,
    resources: `[{"accountId":"${ACCOUNT}","type":"AWS::SQS::Queue","ARN":"${arn('sqs', `synthetic-${owner}-events`)}"}]`,
  }))
const parameter = (weight: number): AwsOperation => ({
  ...read('ssm', 'GetParameters', weight, (random, name) => ({
    parameters: `{"names":["/synthetic/${name}/${random.chance(0.5) ? 'flags' : 'limits'}"],"withDecryption":false}`,
  })),
  errors: ['AccessDeniedException', 'User is not authorized to perform: ssm:GetParameters', 0.004],
})
const publish = (weight: number, sinceWeek?: number): AwsOperation => ({
  ...write('sns', 'Publish', weight, (_random, name) => ({
    parameters: `{"topicArn":"${arn('sns', `synthetic-${name}`)}","message":"HIDDEN_DUE_TO_SECURITY_REASONS"}`,
  })),
  ...(sinceWeek === undefined ? {} : { sinceWeek }),
})

/** Calls of a service that runs on instances; `flavour` gives services unlike repertoires and later novelties. */
export function serviceOperations(flavour: number): readonly AwsOperation[] {
  const since = (weeks: number) => 1 + ((flavour + weeks) % 6)
  return [
    table('GetItem', 24, true),
    table('PutItem', 9, false),
    flavour % 2 === 0 ? table('Query', 14, true) : table('UpdateItem', 8, false),
    getObject(12),
    putObject(4),
    ...(flavour % 3 === 0
      ? [queue('ReceiveMessage', 10), queue('DeleteMessage', 8)]
      : [queue('SendMessage', 6)]),
    secret(1.5),
    decrypt(5),
    parameter(2),
    describe('sts', 'GetCallerIdentity', 0.5),
    publish(3, since(1)),
    { ...table('BatchGetItem', 3, true), sinceWeek: since(3) },
    {
      ...describe('elasticache', 'DescribeCacheClusters', 0.6, '{"showCacheNodeInfo":true}'),
      sinceWeek: since(4),
    },
  ]
}

export const LAMBDA_OPERATIONS: readonly AwsOperation[] = [
  table('GetItem', 10, true),
  table('PutItem', 10, false),
  write('logs', 'CreateLogStream', 4, (random, name) => ({
    parameters: `{"logGroupName":"/aws/lambda/synthetic-${name}","logStreamName":"2026/[$LATEST]${random.hex(32)}"}`,
  })),
  decrypt(2),
  publish(4),
  { ...queue('SendMessage', 5), sinceWeek: 2 },
]

export const ETL_OPERATIONS: readonly AwsOperation[] = [
  describe('glue', 'GetTable', 4, '{"databaseName":"synthetic_lake","name":"events"}'),
  describe(
    'glue',
    'GetPartitions',
    6,
    '{"databaseName":"synthetic_lake","tableName":"events","maxResults":100}',
  ),
  write(
    'athena',
    'StartQueryExecution',
    3,
    plain('{"workGroup":"etl","queryString":"HIDDEN_DUE_TO_SECURITY_REASONS"}'),
  ),
  describe('athena', 'GetQueryExecution', 9, '{"queryExecutionId":"synthetic"}'),
  describe('athena', 'GetQueryResults', 3, '{"queryExecutionId":"synthetic"}'),
  getObject(25),
  putObject(10),
  read('s3', 'ListObjects', 4, (_random, name) => ({
    ...s3(bucketOf(name), '', 2100),
    parameters: `{"bucketName":"${bucketOf(name)}","list-type":"2","prefix":"2026/","Host":"${bucketOf(name)}.s3.${REGION}.amazonaws.com"}`,
  })),
  {
    ...write(
      'glue',
      'BatchCreatePartition',
      2,
      plain('{"databaseName":"synthetic_lake","tableName":"events"}'),
    ),
    sinceWeek: 2,
  },
]

export const BACKUP_OPERATIONS: readonly AwsOperation[] = [
  describe('ec2', 'DescribeVolumes', 5, '{"volumeSet":{},"filterSet":{"items":[{"name":"tag:backup"}]}}'),
  write('ec2', 'CreateSnapshot', 8, (random) => ({
    parameters: `{"volumeId":"vol-0${random.int(12)}synthetic","description":"nightly"}`,
    response: `{"snapshotId":"snap-0${random.hex(16)}","status":"pending"}`,
  })),
  write('ec2', 'DeleteSnapshot', 6, (random) => ({ parameters: `{"snapshotId":"snap-0${random.hex(16)}"}` })),
  describe('ec2', 'DescribeSnapshots', 6, '{"snapshotSet":{},"ownersSet":{"items":[{"owner":"self"}]}}'),
  write(
    'rds',
    'CreateDBSnapshot',
    2,
    plain('{"dBInstanceIdentifier":"synthetic-orders","dBSnapshotIdentifier":"nightly"}'),
  ),
  describe('rds', 'DescribeDBSnapshots', 3, '{"dBInstanceIdentifier":"synthetic-orders"}'),
  write('ec2', 'CreateTags', 5, (random) => ({
    parameters: `{"resourcesSet":{"items":[{"resourceId":"snap-0${random.hex(16)}"}]},"tagSet":{"items":[{"key":"backup","value":"nightly"}]}}`,
  })),
]

export const CI_OPERATIONS: readonly AwsOperation[] = [
  describe('sts', 'GetCallerIdentity', 3),
  write('ecr', 'PutImage', 3, (random) => ({
    parameters: `{"repositoryName":"synthetic/app-${random.int(9)}","imageTag":"${random.hex(7)}"}`,
  })),
  describe('ecr', 'GetAuthorizationToken', 3),
  write('ecr', 'InitiateLayerUpload', 4, (random) => ({
    parameters: `{"repositoryName":"synthetic/app-${random.int(9)}"}`,
  })),
  write('ecs', 'RegisterTaskDefinition', 2, (random) => ({
    parameters: `{"family":"synthetic-app-${random.int(9)}","cpu":"512","memory":"1024"}`,
  })),
  write('ecs', 'UpdateService', 2, (random) => ({
    parameters: `{"cluster":"synthetic","service":"app-${random.int(9)}","forceNewDeployment":false}`,
  })),
  describe('ecs', 'DescribeServices', 8, '{"cluster":"synthetic","services":["app"]}'),
  write('lambda', 'UpdateFunctionCode20150331v2', 2, (random) => ({
    parameters: `{"functionName":"synthetic-fn-${random.int(6)}","s3Bucket":"synthetic-artifacts-data","publish":true,"dryRun":false}`,
  })),
  write('cloudformation', 'CreateChangeSet', 1, (random) => ({
    parameters: `{"stackName":"synthetic-stack-${random.int(5)}","changeSetName":"ci-${random.hex(6)}"}`,
  })),
  describe('cloudformation', 'DescribeStacks', 8, '{"stackName":"synthetic-stack"}'),
  describe('cloudformation', 'DescribeStackEvents', 6, '{"stackName":"synthetic-stack"}'),
  describe('ec2', 'DescribeSubnets', 4, '{"subnetSet":{},"filterSet":{}}'),
  describe('ec2', 'DescribeSecurityGroups', 4, '{"securityGroupSet":{},"filterSet":{}}'),
  describe('iam', 'GetRole', 4, '{"roleName":"synthetic-app"}'),
  putObject(4),
  { ...describe('wafv2', 'GetWebACL', 1, '{"name":"synthetic","scope":"REGIONAL"}'), sinceWeek: 2 },
  {
    ...describe('elasticloadbalancing', 'DescribeTargetHealth', 2, '{"targetGroupArn":"synthetic"}'),
    sinceWeek: 3,
  },
]

export const VENDOR_OPERATIONS: readonly AwsOperation[] = [
  describe('ec2', 'DescribeInstances', 10, '{"instancesSet":{},"filterSet":{}}'),
  describe('monitoring', 'GetMetricData', 14, '{"maxDatapoints":500}'),
  describe('rds', 'DescribeDBInstances', 4),
  describe('elasticloadbalancing', 'DescribeLoadBalancers', 4),
  describe('lambda', 'ListFunctions20150331', 3, '{"maxItems":50}'),
  describe('tagging', 'GetResources', 3, '{"resourcesPerPage":100}'),
  {
    ...describe('organizations', 'DescribeOrganization', 0.4),
    errors: ['AccessDeniedException', 'You do not have permissions to access this resource.', 1],
  },
]

export const AUTOSCALING_OPERATIONS: readonly AwsOperation[] = [
  describe('ec2', 'DescribeInstanceStatus', 8, '{"includeAllInstances":false}'),
  write('ec2', 'RunInstances', 1, () => ({
    parameters:
      '{"instancesSet":{"items":[{"minCount":1,"maxCount":1}]},"launchTemplate":{"launchTemplateName":"synthetic-web","version":"14"}}',
  })),
  write('ec2', 'TerminateInstances', 1, (random) => ({
    parameters: `{"instancesSet":{"items":[{"instanceId":"i-0${random.hex(16)}"}]}}`,
  })),
  write('elasticloadbalancing', 'RegisterTargets', 1, plain('{"targetGroupArn":"synthetic-web"}')),
  describe('elasticloadbalancing', 'DescribeTargetHealth', 6, '{"targetGroupArn":"synthetic-web"}'),
]

export const BILLING_OPERATIONS: readonly AwsOperation[] = [
  describe('ce', 'GetCostAndUsage', 6, '{"granularity":"DAILY","metrics":["UnblendedCost"]}'),
  getObject(12),
  putObject(4),
  describe('organizations', 'ListAccounts', 1),
]

export const LEGACY_OPERATIONS: readonly AwsOperation[] = [
  getObject(10),
  putObject(8),
  read('s3', 'ListObjects', 4, (_random, name) => ({
    ...s3(bucketOf(name), '', 1800),
    parameters: `{"bucketName":"${bucketOf(name)}","list-type":"2","prefix":"in/","Host":"${bucketOf(name)}.s3.${REGION}.amazonaws.com"}`,
  })),
  queue('ReceiveMessage', 4),
  write(
    'ses',
    'SendEmail',
    2,
    plain('{"source":"no-reply@synthetic.example","destination":"HIDDEN_DUE_TO_SECURITY_REASONS"}'),
  ),
]

export const PERSON_OPERATIONS: readonly AwsOperation[] = [
  describe('ec2', 'DescribeInstances', 10, '{"maxResults":50,"instancesSet":{},"filterSet":{}}'),
  describe('ec2', 'DescribeVpcs', 4, '{"vpcSet":{},"filterSet":{}}'),
  describe('cloudwatch', 'DescribeAlarms', 8, '{"maxRecords":100}'),
  describe('logs', 'FilterLogEvents', 8, '{"logGroupName":"/synthetic/app","limit":100}'),
  describe('s3', 'ListBuckets', 4, '{"Host":"s3.eu-west-1.amazonaws.com"}'),
  describe('iam', 'ListUsers', 2),
  describe('iam', 'ListRoles', 2, '{"maxItems":100}'),
  describe('rds', 'DescribeDBInstances', 4),
  describe('lambda', 'GetFunction20150331v2', 3, '{"functionName":"synthetic-fn-1"}'),
  write(
    'ec2',
    'AuthorizeSecurityGroupIngress',
    0.3,
    plain(
      '{"groupId":"sg-0synthetic","ipPermissions":{"items":[{"ipProtocol":"tcp","fromPort":443,"toPort":443,"ipRanges":{"items":[{"cidrIp":"10.40.0.0/16"}]}}]}}',
    ),
  ),
  write('cloudwatch', 'PutMetricAlarm', 0.5, plain('{"alarmName":"synthetic-latency"}')),
]

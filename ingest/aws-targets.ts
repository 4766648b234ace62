/** What an AWS call acts on: resources as ARNs, the class of the first of them, and the identity acted on. */
import type { AwsCall } from './aws-grants.ts'
import { entriesAt } from './aws-grants.ts'
import { canonicalPrincipal } from './aws-principal.ts'
import { asText, listAt, objectAt, textAt } from './json-values.ts'
import type { JsonObject } from './source.ts'

const MOST_RESOURCES = 8
const LONGEST = 512

/**
 * How a parameter names a resource, per service, most specific first:
 * parameter, type, and how the ARN continues after the account: `/` for `type/name`, `:` for `type:name`, '' for `name`.
 * Scope, where it is not regional (`r`): `g` has no region in its ARN, `s` neither region nor account.
 */
type Naming = readonly [
  parameter: string,
  type: string,
  join: '/' | ':' | '',
  scope?: 'g' | 's' | 'r',
  service?: string,
]

const NAMINGS: ReadonlyMap<string, readonly Naming[]> = new Map<string, readonly Naming[]>([
  [
    'iam',
    [
      ['userName', 'user', '/', 'g'],
      ['roleName', 'role', '/', 'g'],
      ['groupName', 'group', '/', 'g'],
      ['instanceProfileName', 'instance-profile', '/', 'g'],
      ['policyArn', 'policy', '/', 'g'],
      ['policyName', 'policy', '/', 'g'],
      ['openIDConnectProviderArn', 'oidc-provider', '/', 'g'],
      ['sAMLProviderArn', 'saml-provider', '/', 'g'],
      ['name', 'saml-provider', '/', 'g'],
    ],
  ],
  ['sts', [['roleArn', 'role', '/', 'g', 'iam']]],
  ['s3', [['bucketName', 'bucket', '', 's']]],
  [
    'ec2',
    [
      ['instanceId', 'instance', '/'],
      ['snapshotId', 'snapshot', '/'],
      ['imageId', 'image', '/'],
      ['groupId', 'security-group', '/'],
      ['volumeId', 'volume', '/'],
      ['networkAclId', 'network-acl', '/'],
      ['networkInterfaceId', 'network-interface', '/'],
      ['launchTemplateId', 'launch-template', '/'],
      ['keyName', 'key-pair', '/'],
      ['vpcEndpointId', 'vpc-endpoint', '/'],
      ['routeTableId', 'route-table', '/'],
      ['vpcId', 'vpc', '/'],
      ['subnetId', 'subnet', '/'],
    ],
  ],
  ['ec2-instance-connect', [['instanceId', 'instance', '/', 'r', 'ec2']]],
  [
    'lambda',
    [
      ['functionName', 'function', ':'],
      ['layerName', 'layer', ':'],
    ],
  ],
  [
    'secretsmanager',
    [
      ['secretId', 'secret', ':'],
      ['name', 'secret', ':'],
    ],
  ],
  [
    'ssm',
    [
      ['instanceId', 'instance', '/', 'r', 'ec2'],
      ['target', 'instance', '/', 'r', 'ec2'],
      ['documentName', 'document', '/'],
      ['name', 'parameter', '/'],
      ['path', 'parameter', '/'],
    ],
  ],
  ['kms', [['keyId', 'key', '/']]],
  ['dynamodb', [['tableName', 'table', '/']]],
  [
    'rds',
    [
      ['dBSnapshotIdentifier', 'snapshot', ':'],
      ['dBClusterSnapshotIdentifier', 'cluster-snapshot', ':'],
      ['dBInstanceIdentifier', 'db', ':'],
      ['dBClusterIdentifier', 'cluster', ':'],
    ],
  ],
  [
    'sqs',
    [
      ['queueUrl', 'queue', ''],
      ['queueName', 'queue', ''],
    ],
  ],
  [
    'sns',
    [
      ['topicArn', 'topic', ''],
      ['name', 'topic', ''],
    ],
  ],
  [
    'logs',
    [
      ['logGroupName', 'log-group', ':'],
      ['destinationName', 'destination', ':'],
    ],
  ],
  [
    'cloudtrail',
    [
      ['name', 'trail', '/'],
      ['trailName', 'trail', '/'],
      ['eventDataStore', 'eventdatastore', '/'],
    ],
  ],
  ['ecr', [['repositoryName', 'repository', '/']]],
  [
    'eks',
    [
      ['clusterName', 'cluster', '/'],
      ['name', 'cluster', '/'],
    ],
  ],
  [
    'ecs',
    [
      ['task', 'task', '/'],
      ['service', 'service', '/'],
      ['taskDefinition', 'task-definition', '/'],
      ['family', 'task-definition', '/'],
      ['cluster', 'cluster', '/'],
    ],
  ],
  ['cloudformation', [['stackName', 'stack', '/']]],
  ['guardduty', [['detectorId', 'detector', '/']]],
  [
    'config',
    [
      ['configurationRecorderName', 'configuration-recorder', '/'],
      ['deliveryChannelName', 'delivery-channel', '/'],
      ['configRuleName', 'config-rule', '/'],
    ],
  ],
  [
    'events',
    [
      ['name', 'rule', '/'],
      ['rule', 'rule', '/'],
    ],
  ],
  [
    'rolesanywhere',
    [
      ['trustAnchorId', 'trust-anchor', '/'],
      ['profileId', 'profile', '/'],
    ],
  ],
  ['states', [['stateMachineArn', 'stateMachine', ':']]],
  [
    'codebuild',
    [
      ['projectName', 'project', '/'],
      ['name', 'project', '/'],
    ],
  ],
  ['glue', [['jobName', 'job', '/']]],
  ['kinesis', [['streamName', 'stream', '/']]],
  ['autoscaling', [['autoScalingGroupName', 'autoScalingGroup', '/']]],
  [
    'elasticloadbalancing',
    [
      ['loadBalancerArn', 'loadbalancer', '/'],
      ['loadBalancerName', 'loadbalancer', '/'],
    ],
  ],
])

export interface Targets {
  readonly resources: readonly string[]
  /** `s3:bucket`, `iam:user`; '' when nothing is named. */
  readonly resourceClass: string
}

const NO_TARGETS: Targets = { resources: [], resourceClass: '' }

/** Resources of a call: those the record lists (`resources[].ARN`), then those its parameters name. */
export function targetsOf(call: AwsCall, listed: readonly string[]): Targets {
  const found: string[] = []
  let resourceClass = ''
  const add = (arn: string, type: string): void => {
    if (arn === '' || found.length >= MOST_RESOURCES) return
    const text = arn.length > LONGEST ? arn.slice(0, LONGEST) : arn
    if (found.includes(text)) return
    found.push(text)
    if (resourceClass === '') resourceClass = type
  }
  for (const arn of listed) {
    const own = withoutObjectKey(arn)
    add(own, classOfArn(own))
  }
  const namings = NAMINGS.get(call.service)
  if (namings !== undefined) {
    for (const naming of namings) {
      const value = call.parameters[naming[0]]
      if (typeof value !== 'string' || value === '') continue
      add(arnOf(call, naming, value), `${naming[4] ?? call.service}:${naming[1]}`)
    }
    addLists(call, add)
  }
  return found.length === 0 ? NO_TARGETS : { resources: found, resourceClass }
}

/** Parameters that name several things at once. */
function addLists(call: AwsCall, add: (arn: string, type: string) => void): void {
  const { service, parameters } = call
  if (service === 'ec2') {
    for (const item of entriesAt(objectAt(parameters, 'instancesSet'), 'items')) {
      const id = textAt(item, 'instanceId')
      if (id !== '') add(arnOf(call, ['', 'instance', '/'], id), 'ec2:instance')
      const image = textAt(item, 'imageId')
      if (image !== '') add(arnOf(call, ['', 'image', '/'], image), 'ec2:image')
    }
  } else if (service === 'ssm') {
    for (const id of listAt(parameters, 'instanceIds')) {
      add(arnOf(call, ['', 'instance', '/', 'r', 'ec2'], asText(id)), 'ec2:instance')
    }
    for (const name of listAt(parameters, 'names')) {
      add(arnOf(call, ['', 'parameter', '/'], asText(name)), 'ssm:parameter')
    }
  } else if (service === 'secretsmanager') {
    for (const id of listAt(parameters, 'secretIdList')) {
      add(arnOf(call, ['', 'secret', ':'], asText(id)), 'secretsmanager:secret')
    }
  }
}

function arnOf(call: AwsCall, naming: Naming, value: string): string {
  if (value === '' || value.startsWith('arn:')) return value
  const [, type, join, scope, service = call.service] = naming
  // Queue URLs end in the queue's name; parameter names begin with the slash that joins them to the type.
  let name = type === 'queue' ? value.slice(value.lastIndexOf('/') + 1) : value
  if (join === '/' && name.startsWith('/')) name = name.slice(1)
  if (type === 'key' && name.startsWith('alias/')) return arn(call, service, name)
  const tail = join === '' ? name : `${type}${join}${name}`
  if (scope === 's') return `arn:${call.partition}:${service}:::${tail}`
  if (scope === 'g') return `arn:${call.partition}:${service}::${call.account}:${tail}`
  return arn(call, service, tail)
}

function arn(call: AwsCall, service: string, tail: string): string {
  return `arn:${call.partition}:${service}:${call.region}:${call.account}:${tail}`
}

/** Objects of a bucket are without number: the bucket is the thing whose use can become habit. */
function withoutObjectKey(text: string): string {
  if (!text.startsWith('arn:') || !text.includes(':s3:::')) return text
  const slash = text.indexOf('/')
  return slash < 0 ? text : text.slice(0, slash)
}

/** `arn:aws:iam::1:role/x` → `iam:role`; topics, queues and buckets, whose ARNs carry no type, by their service. */
function classOfArn(text: string): string {
  const parts = text.split(':', 7)
  const service = parts[2] ?? ''
  const tail = parts[5] ?? ''
  if (service === '' || tail === '') return ''
  if (service === 's3') return 's3:bucket'
  if (service === 'sns') return 'sns:topic'
  if (service === 'sqs') return 'sqs:queue'
  const slash = tail.indexOf('/')
  return `${service}:${(slash < 0 ? tail : tail.slice(0, slash)).slice(0, 64)}`
}

/** Canonical id of the identity acted on, or ''. */
export function targetIdentityOf(call: AwsCall): string {
  const { parameters, response } = call
  if (call.service === 'sts') return canonicalPrincipal(textAt(parameters, 'roleArn'))
  if (call.service === 'organizations') return textAt(parameters, 'accountId')
  if (call.service !== 'iam') return ''
  const answered = textAt(objectAt(response, 'user'), 'arn') || textAt(objectAt(response, 'role'), 'arn')
  if (answered !== '') return canonicalPrincipal(answered)
  const base = `arn:${call.partition}:iam::${call.account}:`
  const user = textAt(parameters, 'userName')
  if (user !== '') return `${base}user/${user}`
  const role = textAt(parameters, 'roleName')
  if (role !== '') return `${base}role/${role}`
  const group = textAt(parameters, 'groupName')
  return group === '' ? '' : `${base}group/${group}`
}

/** Id of the credential that a call issued, or ''. Never the secret part. */
export function issuedCredentialOf(response: JsonObject): string {
  return (
    textAt(objectAt(response, 'accessKey'), 'accessKeyId') ||
    textAt(objectAt(response, 'credentials'), 'accessKeyId') ||
    textAt(objectAt(response, 'serviceSpecificCredential'), 'serviceSpecificCredentialId') ||
    textAt(objectAt(response, 'certificate'), 'certificateId') ||
    textAt(objectAt(response, 'sSHPublicKey'), 'sSHPublicKeyId') ||
    textAt(response, 'keyPairId')
  )
}

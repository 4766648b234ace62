/**
 * Who gains access by an AWS call: principals named in resource policies, trust policies, grants and sharing attributes.
 *
 * CloudTrail writes policies as plain JSON text, URL-encoded JSON text or a JSON object, depending on the service; all
 * three are read, and anything else names nobody.
 */
import { asObject, asText, isJsonObject, listAt, objectAt, textAt } from './json-values.ts'
import type { JsonObject } from './source.ts'

/** The parts of a CloudTrail record that give a call its meaning. */
export interface AwsCall {
  /** Endpoint without `.amazonaws.com`: `iam`, `ec2`. */
  readonly service: string
  /** Event name without the API version that some services append. */
  readonly operation: string
  readonly partition: string
  readonly region: string
  /** Account the call acted in. */
  readonly account: string
  /** Canonical id of the caller. */
  readonly caller: string
  /** A cloud service made the call on the caller's behalf. */
  readonly viaService: boolean
  readonly parameters: JsonObject
  readonly response: JsonObject
}

export type GrantReader = (call: AwsCall) => readonly string[]

/** Larger policies than any AWS limit (bucket policies: 20 KB) are not parsed. */
const LARGEST_POLICY = 65_536
const MOST_GRANTEES = 64

/** True for the public (`*`) and for a principal or account other than `account`; services are not outside. */
export function isOutside(grantee: string, account: string): boolean {
  if (grantee === '*') return true
  const owner = accountOf(grantee)
  return owner !== '' && account !== '' && owner !== account
}

/** The 12-digit account of an account id or ARN, or ''. */
export function accountOf(principal: string): string {
  if (isAccountId(principal)) return principal
  if (!principal.startsWith('arn:')) return ''
  const account = principal.split(':', 6)[4] ?? ''
  return isAccountId(account) ? account : ''
}

function isAccountId(text: string): boolean {
  return text.length === 12 && /^\d{12}$/.test(text)
}

/**
 * Principals that the Allow statements of a policy admit: ARNs, account ids, service names, `*`. A `*` narrowed by a
 * condition on who or whence (organisation, account, source, VPC) is left out: it opens nothing to the public.
 */
export function policyPrincipals(policy: unknown): readonly string[] {
  const document = policyDocument(policy)
  if (document === undefined) return []
  const found = new Set<string>()
  const statements = document.Statement
  for (const entry of Array.isArray(statements) ? statements : [statements]) {
    const statement = asObject(entry)
    if (statement.Effect !== 'Allow') continue
    const narrowed = isNarrowed(statement)
    const add = (value: unknown): void => {
      if (typeof value !== 'string' || found.size >= MOST_GRANTEES) return
      if (value !== '*' || !narrowed) found.add(value.slice(0, 256))
    }
    // Allow with NotPrincipal admits everybody but those named.
    if (statement.NotPrincipal !== undefined) add('*')
    const principal = statement.Principal
    add(principal)
    if (!isJsonObject(principal)) continue
    for (const kind of ['AWS', 'Federated', 'Service', 'CanonicalUser']) {
      const value = principal[kind]
      for (const one of Array.isArray(value) ? value : [value]) add(one)
    }
  }
  return [...found]
}

/** A policy given as object, JSON text or URL-encoded JSON text; undefined when it is none of these. */
export function policyDocument(policy: unknown): JsonObject | undefined {
  if (isJsonObject(policy)) return policy
  if (typeof policy !== 'string' || policy.length < 2 || policy.length > LARGEST_POLICY) return undefined
  try {
    const text = policy.startsWith('%') ? decodeURIComponent(policy) : policy
    const parsed: unknown = JSON.parse(text)
    return isJsonObject(parsed) ? parsed : undefined
  } catch {
    return undefined
  }
}

const NARROWING =
  /^(aws:(principal(orgid|orgpaths|account|arn)|source(account|arn|vpc|vpce|owner|orgid|orgpaths|ip)|userid|username)|kms:(calleraccount|viaservice)|lambda:functionurlauthtype)$/

function isNarrowed(statement: JsonObject): boolean {
  for (const operator of Object.values(asObject(statement.Condition))) {
    for (const key of Object.keys(asObject(operator))) {
      if (key.length < 64 && NARROWING.test(key.toLowerCase())) return true
    }
  }
  return false
}

/** Items of a list as CloudTrail writes it: an array, `{items: […]}`, one object or one string; '' is empty. */
function itemsOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value
  if (isJsonObject(value)) {
    if (!('items' in value)) return [value]
    // One level only: recursion here would let a hostile record exhaust the stack.
    return Array.isArray(value.items) ? value.items : [value.items]
  }
  return typeof value === 'string' && value !== '' ? [value] : []
}

/** Reads a policy from the first of these parameters that is there. */
const policyIn =
  (...names: readonly string[]): GrantReader =>
  ({ parameters }) => {
    for (const name of names) if (parameters[name]) return policyPrincipals(parameters[name])
    return []
  }

/** Reads account ids, ARNs or `all` from these parameters. */
const principalsIn =
  (...names: readonly string[]): GrantReader =>
  ({ parameters }) =>
    names.flatMap((name) => itemsOf(parameters[name])).map((value) => everybody(asText(value)))

const attributePolicy: GrantReader = ({ parameters }) => {
  const attributes = objectAt(parameters, 'attributes')
  if (textAt(parameters, 'attributeName') === 'Policy') return policyPrincipals(parameters.attributeValue)
  return policyPrincipals(attributes.Policy ?? attributes.policy)
}

function everybody(value: string): string {
  return value === 'all' || value === 'ALL' ? '*' : value
}

/** `{add: {items: [{userId} | {group: 'all'} | {organizationArn}]}}` of snapshots and images. Only additions count. */
const added =
  (name: string): GrantReader =>
  (call) => {
    const { parameters } = call
    const found = itemsOf(objectAt(parameters, name).add).map((item) => {
      const entry = asObject(item)
      return everybody(
        textAt(entry, 'userId') ||
          textAt(entry, 'group') ||
          textAt(entry, 'organizationArn') ||
          textAt(entry, 'organizationalUnitArn'),
      )
    })
    if (found.length > 0 || textAt(parameters, 'operationType') !== 'add') return found
    return principalsIn('userIds', 'userGroups')(call)
  }

const databaseSnapshot: GrantReader = (call) =>
  textAt(call.parameters, 'attributeName') === 'restore' ? principalsIn('valuesToAdd')(call) : []

/** Canned and explicit grants of S3 to everybody (or to everybody with an AWS account, which is the same). */
const bucketAcl: GrantReader = ({ parameters }) => {
  for (const canned of itemsOf(parameters['x-amz-acl'])) {
    if (asText(canned).startsWith('public-') || canned === 'authenticated-read') return ['*']
  }
  for (const header of [
    'x-amz-grant-read',
    'x-amz-grant-write',
    'x-amz-grant-full-control',
    'x-amz-grant-write-acp',
  ]) {
    for (const value of itemsOf(parameters[header])) if (isEverybodyUri(asText(value))) return ['*']
  }
  const grants = objectAt(objectAt(parameters, 'AccessControlPolicy'), 'AccessControlList').Grant
  for (const grant of itemsOf(grants)) {
    if (isEverybodyUri(textAt(objectAt(asObject(grant), 'Grantee'), 'URI'))) return ['*']
  }
  return []
}

function isEverybodyUri(text: string): boolean {
  return text.includes('/groups/global/AllUsers') || text.includes('/groups/global/AuthenticatedUsers')
}

/** Turning off a setting of Block Public Access removes the guard in front of the public. */
const publicAccessBlock: GrantReader = ({ parameters }) => {
  const settings = objectAt(parameters, 'PublicAccessBlockConfiguration')
  return ['BlockPublicAcls', 'IgnorePublicAcls', 'BlockPublicPolicy', 'RestrictPublicBuckets'].some(
    (key) => settings[key] === false || settings[key] === 'false',
  )
    ? ['*']
    : []
}

const replication: GrantReader = ({ parameters }) =>
  itemsOf(objectAt(parameters, 'ReplicationConfiguration').Rule).map((rule) =>
    textAt(objectAt(asObject(rule), 'Destination'), 'Account'),
  )

const lambdaPermission: GrantReader = ({ parameters }) => {
  const principal = textAt(parameters, 'principal')
  // A principal `*` limited to an organisation, account or source is not the public.
  const limited =
    textAt(parameters, 'principalOrgID') !== '' ||
    textAt(parameters, 'sourceAccount') !== '' ||
    textAt(parameters, 'sourceArn') !== ''
  return principal === '*' && limited ? [] : [principal]
}

const layerPermission: GrantReader = ({ parameters }) =>
  textAt(parameters, 'organizationId') === '' ? [textAt(parameters, 'principal')] : []

const functionUrl: GrantReader = ({ parameters }) => (textAt(parameters, 'authType') === 'NONE' ? ['*'] : [])

const eventBus: GrantReader = (call) =>
  call.parameters.policy === undefined ? principalsIn('principal')(call) : policyIn('policy')(call)

const everyone: GrantReader = () => ['*']

const resourcePolicy = policyIn('resourcePolicy', 'policy', 'policyDocument', 'policyInJson', 'policyText')

/** Operations whose parameters name who gains access. */
const READERS: ReadonlyMap<string, GrantReader> = new Map<string, GrantReader>([
  ['ec2:ModifySnapshotAttribute', added('createVolumePermission')],
  ['ec2:ModifyImageAttribute', added('launchPermission')],
  ['ec2:ModifyFpgaImageAttribute', added('loadPermission')],
  ['ec2:ModifyVpcEndpointServicePermissions', principalsIn('addAllowedPrincipals')],
  ['rds:ModifyDBSnapshotAttribute', databaseSnapshot],
  ['rds:ModifyDBClusterSnapshotAttribute', databaseSnapshot],
  ['redshift:AuthorizeSnapshotAccess', principalsIn('accountWithRestoreAccess')],
  ['redshift:AuthorizeDataShare', principalsIn('consumerIdentifier')],
  ['s3:PutBucketPolicy', policyIn('bucketPolicy')],
  ['s3:PutBucketAcl', bucketAcl],
  ['s3:PutObjectAcl', bucketAcl],
  ['s3:PutBucketReplication', replication],
  ['s3:PutBucketPublicAccessBlock', publicAccessBlock],
  ['s3:PutAccountPublicAccessBlock', publicAccessBlock],
  ['s3:DeleteBucketPublicAccessBlock', everyone],
  ['s3:DeleteAccountPublicAccessBlock', everyone],
  ['s3:PutAccessPointPolicy', policyIn('policy', 'accessPointPolicy')],
  ['lambda:AddPermission', lambdaPermission],
  ['lambda:AddLayerVersionPermission', layerPermission],
  ['lambda:CreateFunctionUrlConfig', functionUrl],
  ['lambda:UpdateFunctionUrlConfig', functionUrl],
  ['kms:PutKeyPolicy', resourcePolicy],
  ['kms:CreateGrant', principalsIn('granteePrincipal')],
  ['sns:AddPermission', principalsIn('aWSAccountId', 'aWSAccountIds', 'awsAccountId')],
  ['sns:SetTopicAttributes', attributePolicy],
  ['sqs:AddPermission', principalsIn('aWSAccountIds', 'awsAccountIds')],
  ['sqs:SetQueueAttributes', attributePolicy],
  ['secretsmanager:PutResourcePolicy', resourcePolicy],
  ['ecr:SetRepositoryPolicy', resourcePolicy],
  ['ecr-public:SetRepositoryPolicy', resourcePolicy],
  ['ecr:PutRegistryPolicy', resourcePolicy],
  [
    'glacier:SetVaultAccessPolicy',
    ({ parameters }) => policyPrincipals(objectAt(parameters, 'policy').policy),
  ],
  ['elasticfilesystem:PutFileSystemPolicy', resourcePolicy],
  ['backup:PutBackupVaultAccessPolicy', resourcePolicy],
  ['events:PutPermission', eventBus],
  ['es:UpdateElasticsearchDomainConfig', policyIn('accessPolicies')],
  ['es:CreateElasticsearchDomain', policyIn('accessPolicies')],
  ['es:UpdateDomainConfig', policyIn('accessPolicies')],
  ['es:CreateDomain', policyIn('accessPolicies')],
  ['glue:PutResourcePolicy', resourcePolicy],
  ['dynamodb:PutResourcePolicy', resourcePolicy],
  ['kinesis:PutResourcePolicy', resourcePolicy],
  ['logs:PutResourcePolicy', resourcePolicy],
  ['logs:PutDestinationPolicy', policyIn('accessPolicy')],
  ['codebuild:PutResourcePolicy', resourcePolicy],
  ['codeartifact:PutDomainPermissionsPolicy', resourcePolicy],
  ['codeartifact:PutRepositoryPermissionsPolicy', resourcePolicy],
  ['acm-pca:PutPolicy', resourcePolicy],
  ['apigateway:UpdateRestApiPolicy', resourcePolicy],
  ['ram:CreateResourceShare', principalsIn('principals')],
  ['ram:AssociateResourceShare', principalsIn('principals')],
  ['ssm:ModifyDocumentPermission', principalsIn('accountIdsToAdd')],
  ['iam:UpdateAssumeRolePolicy', policyIn('policyDocument')],
  ['iam:CreateRole', policyIn('assumeRolePolicyDocument')],
])

/** The reader for `service:Operation`, or undefined when its parameters name nobody. */
export function grantReader(key: string): GrantReader | undefined {
  return READERS.get(key)
}

/**
 * A range wider than any owner's (IPv4 wider than /8, IPv6 wider than /16) is the world: `0.0.0.0/0`, but also its halves,
 * by which a rule for the world passes checks for that one text. ULA (`fc00::/7`) is private.
 */
function isWorld(range: string): boolean {
  if (range.length > 43) return false
  const v4 = /^[\d.]{7,15}\/([0-7])$/.test(range)
  return (
    v4 || (/^[0-9a-f:]{2,39}\/(\d|1[0-5])$/i.test(range) && range.includes(':') && !/^f[cd]/i.test(range))
  )
}

/** True when one of the address ranges named anywhere in the call is the Internet, or most of it. */
export function opensToWorld(parameters: JsonObject): boolean {
  let budget = 500
  const visit = (value: unknown, depth: number): boolean => {
    if (--budget < 0 || depth > 8) return false
    if (typeof value === 'string') return isWorld(value)
    if (Array.isArray(value)) return value.some((item) => visit(item, depth + 1))
    return isJsonObject(value) && Object.values(value).some((item) => visit(item, depth + 1))
  }
  return visit(parameters, 0)
}

/** Objects of a list parameter in any of its shapes. */
export function entriesAt(object: JsonObject, key: string): readonly JsonObject[] {
  const list = listAt(object, key)
  return (list.length > 0 ? list : itemsOf(object[key])).map(asObject)
}

/**
 * What an AWS operation means: how much power it exercises (access level), what it does to security (effect), and the
 * facts in its parameters that detectors of content need.
 *
 * Some operations have an effect only with certain parameters (sharing a snapshot *with an outside account*, opening a
 * port *to the world*): for those the table holds a judge instead of a word.
 */
import type { AccessLevel, ActivityOutcome, Effect } from './activity.ts'
import { OPERATION_EFFECTS } from './aws-effects.ts'
import { type AwsCall, accountOf, grantReader, isOutside } from './aws-grants.ts'
import { LEVELS } from './aws-levels.ts'
import { canonicalPrincipal } from './aws-principal.ts'
import { issuedCredentialOf, targetIdentityOf } from './aws-targets.ts'
import { objectAt, textAt } from './json-values.ts'
import type { JsonObject } from './source.ts'

export interface AwsMeaning {
  readonly accessLevel: AccessLevel
  readonly effect: Effect | ''
  /** Named facts of `Activity.details`. */
  readonly details: Readonly<Record<string, string>>
}

/** What is known of an operation from its name alone. */
export interface OperationShape {
  readonly service: string
  readonly operation: string
  /** `service:Operation`, the key of all tables. */
  readonly key: string
  /** Curated level, or the one its verb suggests. */
  readonly level: AccessLevel
  /** False when the level is only the verb's guess, which the record's `readOnly` corrects. */
  readonly curated: boolean
}

const MOST_SHAPES = 20_000
const shapes = new Map<string, OperationShape>()
const NO_DETAILS: Readonly<Record<string, string>> = Object.freeze({})
const LONGEST = 256

/**
 * The shape of `eventSource:eventName`. Cached: a stream has a few hundred operations. The cache is emptied when full,
 * so that invented names cost time and not memory.
 */
export function operationShape(eventSource: string, eventName: string): OperationShape {
  const action = `${eventSource}:${eventName}`
  const known = shapes.get(action)
  if (known !== undefined) return known
  const dot = eventSource.indexOf('.')
  const service = dot < 0 ? eventSource : eventSource.slice(0, dot)
  const operation = withoutVersion(eventName)
  const key = `${service}:${operation}`
  const curated = LEVELS.get(key) ?? levelByName(service, operation)
  const shape = {
    service,
    operation,
    key,
    level: curated ?? levelByVerb(operation),
    curated: curated !== undefined,
  }
  if (shapes.size >= MOST_SHAPES) shapes.clear()
  shapes.set(action, shape)
  return shape
}

/** Lambda and CloudFront append an API version: `AddPermission20150331v2`, `CreateDistribution2020_05_31`. */
function withoutVersion(name: string): string {
  if (name.length > 128) return name.slice(0, 128)
  return name.replace(/20\d{2}_?\d{2}_?\d{2}(v\d)?$/, '')
}

/** Access level of an operation given the record's own `readOnly` flag (undefined when it has none). */
export function accessLevelOf(shape: OperationShape, readOnly: boolean | undefined): AccessLevel {
  if (shape.curated || readOnly === undefined) return shape.level
  const reads = shape.level === 'read' || shape.level === 'list'
  if (readOnly) return reads ? shape.level : 'read'
  return reads ? 'write' : shape.level
}

const LIST = /^(List|Describe|Discover|Lookup|Search|Scan)/
const READ =
  /^(Get|Head|BatchGet|BatchDescribe|Query|Select|Test|Simulate|Validate|Check|Download|View|Preview|Estimate|Detect|Poll|Receive|Filter|Decode|Verify)/

function levelByVerb(operation: string): AccessLevel {
  if (LIST.test(operation)) return 'list'
  return READ.test(operation) ? 'read' : 'write'
}

/** Policies and permissions by their names, so that services younger than our list are judged as well. */
function levelByName(service: string, operation: string): AccessLevel | undefined {
  if (service === 'signin') return 'auth'
  if (LIST.test(operation) || READ.test(operation)) return undefined
  if (/^(Tag|Untag)|(Tags|Tagging|TagsForResource)$/.test(operation)) return 'tagging'
  const changes =
    /^(Put|Set|Attach|Detach|Delete|Add|Remove|Create|Update|Authorize|Revoke|Grant|Modify|Batch(Grant|Revoke))/
  if (!changes.test(operation)) return undefined
  if (/(Permissions?|PermissionsBoundary|PublicAccessBlock|Acl|Grants?)$/.test(operation))
    return 'permissions'
  if (
    /(Resource|Bucket|Key|Access|AccessPoint|Repository|Registry|Domain|FileSystem|Role|User|Group|PermissionSet|Vault|Destination)(Policy|PolicyV2)$/.test(
      operation,
    )
  )
    return 'permissions'
  return undefined
}

/** Meaning of a call whose record says `readOnly` (undefined when it does not say). */
export function meaningOf(shape: OperationShape, call: AwsCall, readOnly: boolean | undefined): AwsMeaning {
  const accessLevel = accessLevelOf(shape, readOnly)
  const rule = OPERATION_EFFECTS.get(shape.key)
  const reader = grantReader(shape.key)
  // The great majority of calls: reads and ordinary writes.
  if (rule === undefined && reader === undefined && shape.service !== 'iam') {
    return { accessLevel, effect: '', details: NO_DETAILS }
  }
  const grantees = reader === undefined ? [] : reader(call).filter((grantee) => grantee !== '')
  const outside = grantees.filter((grantee) => isOutside(grantee, call.account))
  const effect = typeof rule === 'function' ? rule(call, outside) : (rule ?? '')
  return { accessLevel, effect, details: detailsOf(shape, call, { effect, grantees, outside }) }
}

interface Gains {
  readonly effect: Effect | ''
  readonly grantees: readonly string[]
  readonly outside: readonly string[]
}

function detailsOf(shape: OperationShape, call: AwsCall, gains: Gains): Readonly<Record<string, string>> {
  const { response } = call
  const details: Record<string, string> = {}
  const put = (name: string, value: string): void => {
    if (value !== '') details[name] = value.length > LONGEST ? value.slice(0, LONGEST) : value
  }
  const minted = gains.effect === 'credential-minting'
  // IAM calls on users without a userName act on the caller.
  const target = targetIdentityOf(call) || (minted && shape.service === 'iam' ? call.caller : '')
  put('targetIdentity', target)
  // The outsider first: that is the grantee worth a sentence.
  const grantee = gains.outside[0] ?? gains.grantees[0] ?? ''
  put(
    'grantee',
    canonicalPrincipal(grantee || (gains.effect === 'permission-grant' ? granteeOf(call, target) : '')),
  )
  put('grant', grantOf(shape, call))
  if (gains.effect === 'audit-tampering') put('guard', GUARDS.get(shape.service) ?? '')

  const issued = issuedCredentialOf(response)
  if (issued !== '') {
    put('issuedCredential', issued)
    put('issuedTo', textAt(objectAt(response, 'federatedUser'), 'arn') || target || call.caller)
  }
  const tenant = gains.outside.map(accountOf).find((account) => account !== '') ?? accountOf(target)
  if (tenant !== call.account) put('targetTenant', tenant)
  return details
}

/** Services of which `audit-tampering` hits something other than an audit trail. */
const GUARDS: ReadonlyMap<string, string> = new Map([
  ['access-analyzer', 'threat-detection'],
  ['config', 'configuration-record'],
  ['detective', 'threat-detection'],
  ['guardduty', 'threat-detection'],
  ['inspector2', 'threat-detection'],
  ['macie', 'threat-detection'],
  ['macie2', 'threat-detection'],
  ['organizations', 'organisation'],
  ['securityhub', 'threat-detection'],
])

/** Who gains when the parameters name an identity rather than a principal of a policy. */
function granteeOf(call: AwsCall, target: string): string {
  const { parameters } = call
  const profile = textAt(parameters, 'instanceProfileName')
  if (profile !== '') return `arn:${call.partition}:iam::${call.account}:instance-profile/${profile}`
  // Who joins a group is its new member, not the group.
  if (call.operation === 'AddUserToGroup') return target
  return (
    target ||
    textAt(parameters, 'principalArn') ||
    textAt(parameters, 'principalId') ||
    textAt(parameters, 'granteePrincipal') ||
    textAt(parameters, 'instanceId')
  )
}

/** What is gained: policy ARN, `inline:<name>`, role or group name. */
function grantOf(shape: OperationShape, call: AwsCall): string {
  const { parameters } = call
  if (shape.operation.endsWith('PermissionsBoundary')) {
    return shape.operation.startsWith('Delete')
      ? 'boundary-removed'
      : textAt(parameters, 'permissionsBoundary')
  }
  if (shape.operation === 'AddUserToGroup') return textAt(parameters, 'groupName')
  if (shape.operation === 'AddRoleToInstanceProfile') return textAt(parameters, 'roleName')
  const policy = textAt(parameters, 'policyArn')
  if (policy !== '') return policy
  if (shape.service === 'iam') {
    const name = textAt(parameters, 'policyName')
    return name === '' || shape.operation === 'CreatePolicy' ? name : `inline:${name}`
  }
  return (
    textAt(parameters, 'managedPolicyArn') ||
    textAt(parameters, 'permissionSetArn') ||
    textAt(parameters, 'policyId') ||
    textAt(objectAt(parameters, 'iamInstanceProfile'), 'name') ||
    textAt(parameters, 'action')
  )
}

const DENIED =
  /AccessDenied|Unauthorized|NotAuthorized|Forbidden|AuthFailure|InvalidClientTokenId|ExpiredToken|SignatureDoesNotMatch|UnrecognizedClient|InvalidAccessKeyId|AuthorizationError|IncompleteSignature|MissingAuthenticationToken|InvalidIdentityToken/

export interface CallVerdict {
  readonly outcome: ActivityOutcome
  readonly errorCode: string
}

interface AwsEnd {
  readonly eventName?: string | null | undefined
  readonly errorCode?: string | null | undefined
  readonly errorMessage?: string | null | undefined
}

const SUCCESS: CallVerdict = { outcome: 'success', errorCode: '' }

/** How a call ended, by its error code, its error message or what a sign-in answered. */
export function awsOutcome(entry: AwsEnd, response: JsonObject): CallVerdict {
  const code = (entry.errorCode ?? '').slice(0, 128)
  if (code !== '') return { outcome: DENIED.test(code) ? 'denied' : 'failure', errorCode: code }
  // Sign-ins answer under their own name (`{"ConsoleLogin": "Failure"}`) and say why only in words.
  if (
    entry.eventName &&
    Object.hasOwn(response, entry.eventName) &&
    response[entry.eventName] === 'Failure'
  ) {
    return { outcome: 'denied', errorCode: 'Failure' }
  }
  return entry.errorMessage ? { outcome: 'failure', errorCode: 'Error' } : SUCCESS
}

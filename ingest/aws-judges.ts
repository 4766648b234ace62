/** Judges of AWS calls whose effect depends on their parameters; `aws-effects.ts` says which call meets which judge. */
import type { Effect } from './activity.ts'
import { type AwsCall, entriesAt, opensToWorld, policyDocument } from './aws-grants.ts'
import { asObject, isJsonObject, listAt, objectAt, textAt } from './json-values.ts'
import type { JsonObject } from './source.ts'

/** Judges a call by its parameters; `outside` are the principals beyond the account that it lets in. */
export type EffectJudge = (call: AwsCall, outside: readonly string[]) => Effect | ''

export const shared: EffectJudge = (_call, outside) => (outside.length > 0 ? 'sharing-outside' : '')
export const sharedOrGranted: EffectJudge = (_call, outside) =>
  outside.length > 0 ? 'sharing-outside' : 'permission-grant'

/** A resource policy inside a set-attributes call that usually sets something else. */
export const attributeShared: EffectJudge = (call, outside) => {
  if (outside.length > 0) return 'sharing-outside'
  const { parameters } = call
  const policy = textAt(parameters, 'attributeName') === 'Policy' || objectAt(parameters, 'attributes').Policy
  return policy ? 'permission-grant' : ''
}

export const isFalse = (value: unknown): boolean => value === false || value === 'false'
export const isTrue = (value: unknown): boolean => value === true || value === 'true'
/** `{value: …}` or the bare value, as EC2 writes attributes. */
export const unwrapped = (value: unknown): unknown =>
  isJsonObject(value) && 'value' in value ? value.value : value

export const when =
  (effect: Effect, test: (parameters: JsonObject, call: AwsCall) => boolean): EffectJudge =>
  (call) =>
    test(call.parameters, call) ? effect : ''

export const worldOpened = when('network-opening', (parameters) => opensToWorld(parameters))

/** Management events of all kinds still recorded? Then the selectors narrow nothing that matters. */
export const selectorsNarrowed = when('audit-tampering', (parameters) => {
  const basic = entriesAt(parameters, 'eventSelectors')
  if (basic.length > 0) {
    return !basic.some(
      (selector) =>
        !isFalse(selector.includeManagementEvents) &&
        (textAt(selector, 'readWriteType') || 'All') === 'All' &&
        listAt(selector, 'excludeManagementEventSources').length === 0,
    )
  }
  return !entriesAt(parameters, 'advancedEventSelectors').some((selector) => {
    const fields = entriesAt(selector, 'fieldSelectors')
    return fields.length === 1 && listAt(fields[0] ?? {}, 'equals').includes('Management')
  })
})

/** A trail that loses regions, validation or global events, or is sent to another bucket, group or key. */
export const trailChanged = when('audit-tampering', (parameters) => {
  const narrowed = [
    'isMultiRegionTrail',
    'includeGlobalServiceEvents',
    'enableLogFileValidation',
    'isOrganizationTrail',
  ]
  const redirected = ['s3BucketName', 's3KeyPrefix', 'cloudWatchLogsLogGroupArn', 'kmsKeyId', 'snsTopicName']
  return (
    narrowed.some((key) => isFalse(parameters[key])) ||
    redirected.some((key) => parameters[key] !== undefined)
  )
})

const AUDIT_NAME = /cloudtrail|trail|audit|flow-?log|vpc-?flow|guardduty|securityhub/i

export const logsDeleted: EffectJudge = ({ parameters }) =>
  AUDIT_NAME.test(textAt(parameters, 'logGroupName').slice(0, 512)) ? 'audit-tampering' : 'data-destruction'

/** Objects that expire within a week are deleted by another name. */
export const lifecycleShortened: EffectJudge = ({ parameters }) => {
  const rules = entriesAt(objectAt(parameters, 'LifecycleConfiguration'), 'Rule')
  const short = rules.some((rule) => {
    const days = Number(objectAt(rule, 'Expiration').Days)
    return days >= 1 && days <= 7 && textAt(rule, 'Status') !== 'Disabled'
  })
  if (!short) return ''
  const names = `${textAt(parameters, 'bucketName')} ${rules.map((rule) => textAt(rule, 'ID')).join(' ')}`
  return AUDIT_NAME.test(names.slice(0, 1024)) ? 'audit-tampering' : 'data-destruction'
}

export const clusterConfig: EffectJudge = ({ parameters }) => {
  if (entriesAt(objectAt(parameters, 'logging'), 'clusterLogging').some((entry) => isFalse(entry.enabled))) {
    return 'audit-tampering'
  }
  const network = objectAt(parameters, 'resourcesVpcConfig')
  if (!isTrue(network.endpointPublicAccess)) return ''
  const cidrs = listAt(network, 'publicAccessCidrs')
  return cidrs.length === 0 || opensToWorld(network) ? 'network-opening' : ''
}

export const databaseChanged: EffectJudge = ({ parameters }) => {
  if (parameters.masterUserPassword !== undefined || isTrue(parameters.manageMasterUserPassword)) {
    return 'credential-minting'
  }
  if (isTrue(parameters.publiclyAccessible)) return 'network-opening'
  return parameters.backupRetentionPeriod === 0 ? 'data-destruction' : ''
}

/** Adding or changing layers, the image or the handler changes what runs; a longer timeout does not. */
export const functionChanged = when('code-change', (parameters) =>
  ['layers', 'handler', 'imageConfig', 'role', 'environment'].some((key) => {
    const value = parameters[key]
    return Array.isArray(value)
      ? value.length > 0
      : isJsonObject(value)
        ? Object.keys(value).length > 0
        : !!value
  }),
)

export const loadBalancerLogs = when('audit-tampering', (parameters) =>
  entriesAt(parameters, 'attributes').some(
    (entry) => textAt(entry, 'key') === 'access_logs.s3.enabled' && isFalse(entry.value),
  ),
)

/** A key switched on again is as good as a new one. */
export const keyReactivated: EffectJudge = ({ parameters }) =>
  textAt(parameters, 'status') === 'Active' ? 'credential-minting' : ''

export const openingAclEntry = when(
  'network-opening',
  (parameters) =>
    textAt(parameters, 'ruleAction') === 'allow' && isFalse(parameters.egress) && opensToWorld(parameters),
)

/** Copying an object over itself with a key of the caller's own is how buckets are held to ransom. */
export const copyEncrypted = when('data-destruction', (parameters) =>
  Object.hasOwn(parameters, 'x-amz-server-side-encryption-customer-algorithm'),
)

/** Server access logging without a target is logging switched off. */
export const bucketLogging = when(
  'audit-tampering',
  (parameters) => !isJsonObject(objectAt(parameters, 'BucketLoggingStatus').LoggingEnabled),
)

/** True when a boundary or policy document given in the call allows nothing: a deny is no grant. */
function onlyDenies(document: unknown): boolean {
  const parsed = policyDocument(document)
  if (parsed === undefined) return false
  const statements = Array.isArray(parsed.Statement) ? parsed.Statement : [parsed.Statement]
  return statements.every((statement) => asObject(statement).Effect === 'Deny')
}

/** An inline policy that only denies (a quarantine) takes away and grants nothing. */
export const inlinePolicy = when('permission-grant', (parameters) => !onlyDenies(parameters.policyDocument))

export const policyVersion = when(
  'permission-grant',
  (parameters) => isTrue(parameters.setAsDefault) && !onlyDenies(parameters.policyDocument),
)

/** Quarantine and deny-all policies of AWS take away; attaching one is a response, not a grant. */
export const policyAttached = when(
  'permission-grant',
  (parameters) =>
    !/:policy\/(AWSCompromisedKeyQuarantine|AWSDenyAll)/.test(textAt(parameters, 'policyArn').slice(0, 256)),
)

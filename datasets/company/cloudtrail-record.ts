import type { Random } from '../random.ts'
import { isoSecond } from './iso-time.ts'
import type { CompanyRecord } from './record.ts'

/** The synthetic company's AWS account, its vendor's, and the account an attacker shares things with. */
export const ACCOUNT = '418273650912'
export const VENDOR_ACCOUNT = '640917283355'
export const FOREIGN_ACCOUNT = '937145820366'
export const REGION = 'eu-west-1'

export interface CloudTrailCall {
  /** Epoch ms; the record keeps the second. */
  readonly time: number
  /** The `userIdentity` object as JSON text. */
  readonly userIdentity: string
  /** Event source without `.amazonaws.com`. */
  readonly service: string
  readonly name: string
  readonly address: string
  readonly userAgent: string
  readonly readOnly: boolean
  /** JSON text, `null` when none. */
  readonly parameters: string
  readonly response?: string | undefined
  /** The `resources` array as JSON text. */
  readonly resources?: string | undefined
  /** Data events carry transfer sizes. */
  readonly bytesOut?: number | undefined
  readonly error?: string | undefined
  readonly errorMessage?: string | undefined
  readonly region?: string | undefined
  readonly eventType?: string | undefined
  /** Further members, as JSON text starting with a comma. */
  readonly extra?: string | undefined
}

/** Services without regions: CloudTrail files their calls under us-east-1. */
const GLOBAL: ReadonlySet<string> = new Set(['iam', 'organizations', 'ce', 'signin'])

const KEY_LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** `AKIA…`, `ASIA…`, `AROA…`, `AIDA…`: a prefix and 16 characters. */
export function awsId(prefix: string, random: Random): string {
  return `${prefix}${random.letters(16, KEY_LETTERS)}`
}

/** ISO 8601 to the second, as CloudTrail writes it. */
export function secondsIso(time: number): string {
  return `${isoSecond(time)}Z`
}

/** One CloudTrail record (event version 1.11). Event and request id are drawn from `random`. */
export function cloudTrailLine(call: CloudTrailCall, random: Random): string {
  const region = call.region ?? (GLOBAL.has(call.service) ? 'us-east-1' : REGION)
  const data = call.bytesOut !== undefined
  const host = call.service === 'iam' ? 'iam.amazonaws.com' : `${call.service}.${region}.amazonaws.com`
  const failed =
    call.error === undefined
      ? ''
      : `"errorCode":"${call.error}","errorMessage":${JSON.stringify(call.errorMessage ?? 'Rate exceeded')},`
  const transfer = data
    ? `"additionalEventData":{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0,"SSEApplied":"SSE_KMS","AuthenticationMethod":"AuthHeader","x-amz-id-2":"${random.hex(56)}=","bytesTransferredOut":${call.bytesOut}},`
    : ''
  const resources = call.resources === undefined ? '' : `"resources":${call.resources},`
  // Services that call by name have no TLS connection of their own.
  const tls = /^[0-9]/.test(call.address)
    ? `,"tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"${host}"}`
    : ''
  return `{"eventVersion":"1.11","userIdentity":${call.userIdentity},"eventTime":"${secondsIso(call.time)}","eventSource":"${call.service}.amazonaws.com","eventName":"${call.name}","awsRegion":"${region}","sourceIPAddress":"${call.address}","userAgent":${JSON.stringify(call.userAgent)},${failed}"requestParameters":${call.parameters},"responseElements":${call.error === undefined ? (call.response ?? 'null') : 'null'},${transfer}"requestID":"${random.uuid()}","eventID":"${random.uuid()}","readOnly":${call.readOnly},${resources}"eventType":"${call.eventType ?? 'AwsApiCall'}","managementEvent":${!data},"recipientAccountId":"${ACCOUNT}","eventCategory":"${data ? 'Data' : 'Management'}"${tls}${call.extra ?? ''}}`
}

export function cloudTrailRecord(call: CloudTrailCall, random: Random): CompanyRecord {
  const time = Math.floor(call.time / 1000) * 1000
  return { time, source: 'cloudtrail', line: cloudTrailLine({ ...call, time }, random) }
}

/** What an assumed role's session shows of itself. */
export interface SessionFacts {
  readonly roleArn: string
  readonly roleId: string
  readonly session: string
  readonly accessKeyId: string
  /** Epoch ms. */
  readonly created: number
  readonly account?: string
  /** Members added to `userIdentity`, JSON text starting with a comma. */
  readonly extra?: string
  /** Members added to `sessionContext`, JSON text starting with a comma. */
  readonly context?: string
}

/** `userIdentity` of an assumed role, JSON text. */
export function assumedRole(facts: SessionFacts): string {
  const account = facts.account ?? ACCOUNT
  const role = facts.roleArn.slice(facts.roleArn.indexOf(':role/') + 6)
  const name = role.slice(role.lastIndexOf('/') + 1)
  return `{"type":"AssumedRole","principalId":"${facts.roleId}:${facts.session}","arn":"arn:aws:sts::${account}:assumed-role/${name}/${facts.session}","accountId":"${account}","accessKeyId":"${facts.accessKeyId}","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"${facts.roleId}","arn":"${facts.roleArn}","accountId":"${account}","userName":"${name}"},"attributes":{"creationDate":"${secondsIso(facts.created)}","mfaAuthenticated":"false"}${facts.context ?? ''}}${facts.extra ?? ''}}`
}

/** `userIdentity` of an IAM user, JSON text. */
export function iamUser(facts: {
  readonly name: string
  readonly userId: string
  readonly accessKeyId: string
  /** Epoch ms of the console session, absent for a long-term key. */
  readonly console?: number
}): string {
  const session =
    facts.console === undefined
      ? ''
      : `,"sessionContext":{"attributes":{"creationDate":"${secondsIso(facts.console)}","mfaAuthenticated":"true"}}`
  return `{"type":"IAMUser","principalId":"${facts.userId}","arn":"arn:aws:iam::${ACCOUNT}:user/${facts.name}","accountId":"${ACCOUNT}","accessKeyId":"${facts.accessKeyId}","userName":"${facts.name}"${session}}`
}

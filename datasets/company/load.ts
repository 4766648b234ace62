import { hashNumbers, Random } from '../random.ts'
import { ACCOUNT, REGION, secondsIso } from './cloudtrail-record.ts'
import { type CompanyRecord, HOUR } from './record.ts'

export interface LoadOptions {
  readonly seed: number
  /** Epoch ms, rounded down to the hour; 2026-01-01 when absent. */
  readonly start?: number
  readonly identities: number
  readonly events: number
  readonly days: number
  /** 10 when absent. */
  readonly eventsPerActiveHour?: number
}

const SERVICES = [
  ['s3', 'GetObject'],
  ['s3', 'PutObject'],
  ['dynamodb', 'GetItem'],
  ['dynamodb', 'Query'],
  ['sqs', 'ReceiveMessage'],
  ['kms', 'Decrypt'],
  ['ec2', 'DescribeInstances'],
  ['sts', 'GetCallerIdentity'],
] as const
const BATCH = 2048
const START = Date.UTC(2026, 0, 1)
/** Brings a record to the 2 kB that CloudTrail's data events have. */
const FILLER = 'synthetic-load '.repeat(34)

/**
 * Cheap CloudTrail records of about 2 kB for benchmarks of cost per event, in order of time. Every identity that is active
 * in an hour has `eventsPerActiveHour` events in it, whatever the number of identities and days, so that a cost that grows
 * with either shows as cost per event. Identities take turns: each is active equally often. Every identity keeps to four
 * actions, one session and one address. Throws RangeError when there are more events than identity-hours can hold.
 */
export function* loadRecords(options: LoadOptions): Generator<CompanyRecord[]> {
  const { seed, identities, events, days } = options
  const each = options.eventsPerActiveHour ?? 10
  const hours = days * 24
  if (events > identities * hours * each) {
    throw new RangeError(`${events} events do not fit ${identities} identities × ${hours} hours × ${each}`)
  }
  const start = Math.floor((options.start ?? START) / HOUR) * HOUR
  const turns = Math.ceil(events / each)
  const random = new Random(seed)
  let batch: CompanyRecord[] = []
  let written = 0
  let turn = 0
  for (let hour = 0; hour < hours; hour += 1) {
    // The rounding is of the running total, so that no event is lost to it and no hour gets more than its share.
    const until = Math.floor(((hour + 1) * turns) / hours)
    const active = until - turn
    const count = Math.min(active * each, events - written)
    for (let piece = 0; piece < count; piece += 1) {
      const identity = (turn + (piece % active)) % identities
      const time = start + hour * HOUR + Math.floor((piece * 3600) / count) * 1000
      batch.push({
        time,
        source: 'cloudtrail',
        line: loadLine(seed, identity, time, written + piece, random),
      })
      if (batch.length >= BATCH) {
        yield batch
        batch = []
      }
    }
    written += count
    turn = until
  }
  if (batch.length > 0) yield batch
}

function loadLine(seed: number, identity: number, time: number, number: number, random: Random): string {
  random.seed(seed, identity, number)
  const key = hashNumbers(seed, identity)
  const [service, name] = SERVICES[(key + random.int(4)) % SERVICES.length] ?? SERVICES[0]
  const role = `synthetic-load-${identity}`
  const id = identity.toString(16).padStart(12, '0').toUpperCase()
  const readOnly = name !== 'PutObject'
  return `{"eventVersion":"1.11","userIdentity":{"type":"AssumedRole","principalId":"AROALOAD${id}:i-0${id.toLowerCase()}","arn":"arn:aws:sts::${ACCOUNT}:assumed-role/${role}/i-0${id.toLowerCase()}","accountId":"${ACCOUNT}","accessKeyId":"ASIALOAD${id}","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROALOAD${id}","arn":"arn:aws:iam::${ACCOUNT}:role/${role}","accountId":"${ACCOUNT}","userName":"${role}"},"attributes":{"creationDate":"${secondsIso(time - 600_000)}","mfaAuthenticated":"false"},"ec2RoleDelivery":"2.0"}},"eventTime":"${secondsIso(time)}","eventSource":"${service}.amazonaws.com","eventName":"${name}","awsRegion":"${REGION}","sourceIPAddress":"34.240.${key & 255}.${1 + ((key >>> 8) % 250)}","userAgent":"aws-sdk-java/2.30.60 md/io#sync md/http#Apache ua/2.1 os/Linux#6.1.115 lang/java#21.0.5 exec-env/AWS_EC2 cfg/retry-mode#standard","requestParameters":{"bucketName":"${role}-data","key":"part-${random.int(1000)}","tableName":"${role}","note":"${FILLER}"},"responseElements":null,"requestID":"${random.uuid()}","eventID":"${random.uuid()}","readOnly":${readOnly},"resources":[{"accountId":"${ACCOUNT}","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::${role}-data"}],"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"${ACCOUNT}","eventCategory":"Management","tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"${service}.${REGION}.amazonaws.com"}}`
}

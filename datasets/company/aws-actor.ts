import { hashNumbers, type Random, weightedIndex } from '../random.ts'
import type { AwsOperation } from './aws-operations.ts'
import { ACCOUNT, cloudTrailLine } from './cloudtrail-record.ts'
import { isoSecond } from './iso-time.ts'
import { type Actor, type CompanyIdentity, HOUR, type Hour, MINUTE, WEEK } from './record.ts'
import { callsIn, type Rhythm } from './rhythm.ts'

/** What an AWS identity shows at a moment: its session or key, and where it calls from. */
export interface AwsCredential {
  /** JSON text. */
  readonly userIdentity: string
  readonly accessKeyId: string
  readonly session: string
  readonly address: string
  readonly userAgent: string
  /** When it was issued, epoch ms; 0 for a long-term key. */
  readonly created: number
  /** Further members of every record, JSON text starting with a comma. */
  readonly extra?: string
}

export interface AwsActor extends Actor {
  /** Name of the workload in its buckets, tables and secrets. */
  readonly workload: string
  readonly slots: number
  readonly operations: readonly AwsOperation[]
  /** What the given copy of the workload shows at that time. */
  readonly credentialAt: (time: number, slot: number) => AwsCredential
  /** The record of that credential being issued; undefined for long-term keys and where nothing is logged. */
  readonly issue: (time: number, slot: number, random: Random) => string | undefined
  /** The operation is deployed and in use at that time. */
  readonly uses: (operation: AwsOperation, time: number) => boolean
}

export interface AwsActorOptions {
  readonly identity: CompanyIdentity
  readonly workload: string
  readonly slots: number
  readonly operations: readonly AwsOperation[]
  readonly rhythm: Rhythm
  readonly scale: number
  readonly companyStart: number
  /** Moment of the week at which this workload is deployed, ms from the start of the company's week. */
  readonly deployment: number
  /** Two numbers that name the period in which a credential of a slot stays the same. */
  readonly epochAt: (time: number, slot: number) => readonly [number, number]
  readonly credential: (epoch: readonly [number, number], slot: number) => AwsCredential
  /** The record of the credential being issued: at each new epoch, before each run of ten minutes, or before some hours. */
  readonly issuing?: {
    readonly when: 'epoch' | 'run' | 'some-hours'
    readonly write: (time: number, credential: AwsCredential, random: Random) => string
  }
}

/** Operations from here on are the issuing of the credential of slot (operation − ISSUE). */
const ISSUE = 1000
const MOST_CACHED = 64

/** An AWS identity that follows a rhythm and a table of calls. */
export function createAwsActor(options: AwsActorOptions): AwsActor {
  const { operations, slots, rhythm, scale, companyStart, deployment, issuing } = options
  const draw = weightedIndex(operations.map(({ weight }) => weight))
  const cache = new Map<string, AwsCredential>()

  const credentialAt = (time: number, slot: number): AwsCredential => {
    const epoch = options.epochAt(time, slot)
    const key = `${slot}/${epoch[0]}/${epoch[1]}`
    const known = cache.get(key)
    if (known !== undefined) return known
    const made = options.credential(epoch, slot)
    if (cache.size >= MOST_CACHED) cache.clear()
    cache.set(key, made)
    return made
  }
  const uses = ({ sinceWeek }: AwsOperation, time: number): boolean =>
    sinceWeek === undefined || time >= companyStart + sinceWeek * WEEK + deployment

  return {
    identity: options.identity,
    workload: options.workload,
    slots,
    operations,
    credentialAt,
    uses,
    issue: (time, slot, random) => issuing?.write(time, credentialAt(time, slot), random),
    plan(hour, random, note) {
      const count = callsIn(rhythm, hour, random, scale)
      let sequence = 0
      const used = new Set<number>()
      for (let piece = 0; piece < count; piece += 1) {
        const time = hour.start + wholeSeconds(rhythm.place(random, piece, count))
        note(time, draw(random), sequence)
        sequence += 1
        used.add(Math.floor(time / (10 * MINUTE)))
      }
      if (issuing === undefined) return
      if (issuing.when === 'run') {
        for (const run of used) note(run * 10 * MINUTE, ISSUE, sequence++)
        return
      }
      if (issuing.when === 'some-hours') {
        const first = Math.min(...used)
        if (used.size > 0 && random.chance(0.4)) note(first * 10 * MINUTE, ISSUE, sequence)
        return
      }
      for (let slot = 0; slot < slots; slot += 1) {
        const created = epochStart(options.epochAt, hour, slot)
        if (created !== undefined) note(wholeSeconds(created), ISSUE + slot, sequence++)
      }
    },
    write(time, operation, random) {
      if (operation >= ISSUE && issuing !== undefined) {
        return issuing.write(time, credentialAt(time, operation - ISSUE), random)
      }
      const wanted = operations[operation]
      const call = wanted !== undefined && uses(wanted, time) ? wanted : operations[0]
      if (call === undefined) throw new RangeError(`${options.workload} has no operations`)
      return awsCallLine(time, call, credentialAt(time, random.int(slots)), options.workload, random)
    },
  }
}

/** One call by an identity with a credential; errors happen as often as the operation says, throttling to all. */
export function awsCallLine(
  time: number,
  operation: AwsOperation,
  credential: AwsCredential,
  workload: string,
  random: Random,
): string {
  const request = operation.request(random, workload)
  const dice = random.float()
  const [code, message, share] = operation.errors ?? ['', '', 0]
  const error = dice < share ? code : dice > 0.998 ? 'ThrottlingException' : undefined
  return cloudTrailLine(
    {
      time,
      service: operation.service,
      name: operation.name,
      readOnly: operation.readOnly,
      userIdentity: credential.userIdentity,
      address: credential.address,
      userAgent: credential.userAgent,
      extra: credential.extra,
      ...request,
      ...(error === undefined ? {} : { error, errorMessage: error === code ? message : 'Rate exceeded' }),
    },
    random,
  )
}

/** An AWS service assumes the role for the workload: the record that says whom the session's key was issued to. */
export function serviceAssumesRole(service: string, roleArn: string) {
  return (time: number, credential: AwsCredential, random: Random): string =>
    cloudTrailLine(
      {
        time,
        service: 'sts',
        name: 'AssumeRole',
        readOnly: true,
        userIdentity: `{"type":"AWSService","invokedBy":"${service}"}`,
        address: service,
        userAgent: service,
        parameters: `{"roleArn":"${roleArn}","roleSessionName":"${credential.session}"}`,
        response: `{"credentials":{"accessKeyId":"${credential.accessKeyId}","sessionToken":"REDACTED","expiration":"${isoSecond(time + 6 * HOUR)}Z"}}`,
        resources: `[{"accountId":"${ACCOUNT}","type":"AWS::IAM::Role","ARN":"${roleArn}"}]`,
        extra: `,"sharedEventID":"${random.uuid()}"`,
      },
      random,
    )
}

const wholeSeconds = (time: number): number => Math.floor(time / 1000) * 1000

/** The minute in this hour at which the slot's epoch changes, if it does. */
function epochStart(epochAt: AwsActorOptions['epochAt'], hour: Hour, slot: number): number | undefined {
  const [first, second] = epochAt(hour.start - 1, slot)
  const last = epochAt(hour.start + HOUR - 1, slot)
  if (first === last[0] && second === last[1]) return undefined
  for (let minute = 0; minute < 60; minute += 1) {
    const time = hour.start + minute * MINUTE
    const epoch = epochAt(time, slot)
    if (epoch[0] !== first || epoch[1] !== second) return time
  }
  return undefined
}

/** Key of an actor's slot and period, for everything that must be the same whenever it is asked for. */
export const periodKey = (seed: number, slot: number, epoch: readonly [number, number]): number =>
  hashNumbers(seed, slot, epoch[0], epoch[1])

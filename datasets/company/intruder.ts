import type { Random } from '../random.ts'
import type { AwsActor, AwsCredential } from './aws-actor.ts'
import { cloudTrailRecord } from './cloudtrail-record.ts'
import type { WorkloadActor } from './kubernetes-actor.ts'
import { type BoundToken, boundUser, type KubernetesRequest, kubernetesRecord } from './kubernetes-record.ts'
import type { CompanyRecord } from './record.ts'

/** Calls written in somebody's name: what attack files are made of. */
export interface IntruderCall {
  readonly service: string
  readonly name: string
  /** JSON text, `null` when absent. */
  readonly parameters?: string
  readonly response?: string
  readonly resources?: string
  readonly bytesOut?: number
  readonly write?: boolean
  /** AWS error code. */
  readonly error?: string
}

/** Seconds of event time between two calls: at least 1, else around the given mean. */
export interface Pace {
  readonly at: number
  readonly everySeconds: number
}

export function awsCalls(
  random: Random,
  pace: Pace,
  credential: AwsCredential,
  calls: readonly IntruderCall[],
): readonly CompanyRecord[] {
  let time = pace.at
  return calls.map((call) => {
    const record = cloudTrailRecord(
      {
        time,
        service: call.service,
        name: call.name,
        readOnly: call.write !== true,
        parameters: call.parameters ?? 'null',
        response: call.response,
        resources: call.resources,
        bytesOut: call.bytesOut,
        userIdentity: credential.userIdentity,
        address: credential.address,
        userAgent: credential.userAgent,
        extra: credential.extra,
        ...(call.error === undefined
          ? {}
          : {
              error: call.error,
              errorMessage: `not authorized to perform: ${call.service}:${call.name} because no identity-based policy allows the action`,
            }),
      },
      random,
    )
    time += Math.round(1000 * Math.max(1, random.gamma(2) * pace.everySeconds))
    return record
  })
}

/** The credential of one of the actor's copies, as it is; or taken elsewhere. */
export function credentialOf(
  actor: AwsActor,
  at: number,
  slot: number,
  elsewhere: { readonly address?: string; readonly userAgent?: string } = {},
): AwsCredential {
  return { ...actor.credentialAt(at, slot % actor.slots), ...elsewhere }
}

export type IntruderRequest = Omit<KubernetesRequest, 'time' | 'user' | 'address' | 'userAgent'>

export function kubernetesRequests(
  random: Random,
  pace: Pace,
  from: { readonly token: BoundToken; readonly address: string; readonly userAgent: string },
  requests: readonly IntruderRequest[],
): readonly CompanyRecord[] {
  let time = pace.at
  return requests.map((request) => {
    const record = kubernetesRecord(
      { ...request, time, user: boundUser(from.token), address: from.address, userAgent: from.userAgent },
      random,
    )
    time += Math.round(1000 * Math.max(0.2, random.gamma(2) * pace.everySeconds))
    return record
  })
}

/** One of the workloads of an archetype; the choice is the seed's. Throws RangeError when there is none. */
export function anyWorkload(workloads: readonly WorkloadActor[], random: Random): WorkloadActor {
  return random.pick(workloads.filter(({ identity }) => identity.archetype === 'workload'))
}

/** Agent of the AWS command line on a rented Linux host. */
export const COMMAND_LINE =
  'aws-cli/2.22.12 md/awscrt#0.23.4 ua/2.0 os/linux#6.8.0-49-generic md/arch#x86_64 lang/python#3.12.6 md/pyimpl#CPython cfg/retry-mode#standard md/installer#exe md/prompt#off md/command#sts.get-caller-identity'

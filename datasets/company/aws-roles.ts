import { hashNumbers, hashText, Random } from '../random.ts'
import { type AwsActor, createAwsActor, periodKey, serviceAssumesRole } from './aws-actor.ts'
import type { AwsOperation } from './aws-operations.ts'
import type { CastContext } from './cast-context.ts'
import { ACCOUNT, assumedRole, awsId, REGION } from './cloudtrail-record.ts'
import { hostIn } from './networks.ts'
import { type Archetype, type CompanyIdentity, DAY, HOUR, MINUTE, WEEK } from './record.ts'
import type { Rhythm } from './rhythm.ts'

const roleArn = (name: string): string => `arn:aws:iam::${ACCOUNT}:role/${name}`

export interface RoleOptions {
  readonly archetype: Archetype
  readonly name: string
  readonly workload: string
  readonly habits: string
  readonly operations: readonly AwsOperation[]
  readonly rhythm: Rhythm
  readonly path?: string
}

/** What every role has: its name, its seed, and the options of its program. */
export function roleOf(context: CastContext, options: RoleOptions) {
  const arn = roleArn(`${options.path ?? ''}${options.name}`)
  const seed = hashNumbers(context.seed, hashText(arn))
  const identity: CompanyIdentity = {
    // Plumbline's id of a role leaves its path out.
    id: roleArn(options.name),
    source: 'cloudtrail',
    archetype: options.archetype,
    name: options.name,
    owner: context.ownerOf(options.workload),
    human: false,
    habits: options.habits,
  }
  return {
    arn,
    seed,
    identity,
    roleId: awsId('AROA', new Random(seed, 3)),
    common: context.common(seed, options.workload, options.operations, options.rhythm),
  }
}

/** Roles on EC2 instances: sessions named by the instance, renewed every six hours, instances replaced every 4–12 days. */
export function onInstances(context: CastContext, slots: number, options: RoleOptions): AwsActor {
  const { arn, roleId, identity, seed, common } = roleOf(context, options)
  const offset = (slot: number): number => (hashNumbers(seed, slot, 11) % 360) * MINUTE
  return createAwsActor({
    ...common,
    identity,
    slots,
    epochAt: (time, slot) => {
      const life = 4 + (hashNumbers(seed, slot, 12) % 9)
      const local = time - offset(slot)
      return [
        Math.floor((local / DAY + (hashNumbers(seed, slot, 13) % life)) / life),
        Math.floor(local / (6 * HOUR)),
      ]
    },
    credential: (epoch, slot) => {
      const instance = new Random(seed, slot, epoch[0], 1)
      const session = `i-0${instance.hex(16)}`
      const accessKeyId = awsId('ASIA', new Random(seed, slot, epoch[0], epoch[1]))
      const created = epoch[1] * 6 * HOUR + offset(slot)
      return {
        userIdentity: assumedRole({
          roleArn: arn,
          roleId,
          session,
          accessKeyId,
          created,
          context: ',"ec2RoleDelivery":"2.0"',
        }),
        accessKeyId,
        session,
        address: hostIn('awsIreland', hashNumbers(seed, slot, epoch[0])),
        userAgent: `aws-sdk-java/2.${25 + Math.floor((created - context.start) / (3 * WEEK))}.60 md/io#sync md/http#Apache ua/2.1 os/Linux#6.1.115 lang/java#21.0.5 md/OpenJDK_64-Bit_Server_VM md/vendor#Amazon.com_Inc. exec-env/AWS_EC2 m/D,N cfg/auth-source#imds cfg/retry-mode#standard`,
        created,
      }
    },
    issuing: { when: 'epoch', write: serviceAssumesRole('ec2.amazonaws.com', arn) },
  })
}

/** Roles of functions: the session is the function's name, environments live two hours. */
export function onLambda(context: CastContext, options: RoleOptions): AwsActor {
  const { arn, roleId, identity, seed, common } = roleOf(context, options)
  const functionName = `synthetic-${options.workload}`
  return createAwsActor({
    ...common,
    identity,
    slots: 3,
    epochAt: (time, slot) => [
      0,
      Math.floor((time - (hashNumbers(seed, slot, 14) % 120) * MINUTE) / (2 * HOUR)),
    ],
    credential: (epoch, slot) => {
      const accessKeyId = awsId('ASIA', new Random(seed, slot, epoch[0], epoch[1]))
      const created = epoch[1] * 2 * HOUR + (hashNumbers(seed, slot, 14) % 120) * MINUTE
      return {
        userIdentity: assumedRole({
          roleArn: arn,
          roleId,
          session: functionName,
          accessKeyId,
          created,
          extra: `,"inScopeOf":{"issuerType":"AWS::Lambda::Function","credentialsIssuedTo":"arn:aws:lambda:${REGION}:${ACCOUNT}:function:${functionName}"}`,
        }),
        accessKeyId,
        session: functionName,
        address: hostIn('awsIreland', periodKey(seed, slot, epoch)),
        userAgent:
          'Boto3/1.34.145 md/Botocore#1.34.145 ua/2.0 os/linux#5.10.227 md/arch#x86_64 lang/python#3.12.7 md/pyimpl#CPython exec-env/AWS_Lambda_python3.12 cfg/retry-mode#legacy Botocore/1.34.145',
        created,
      }
    },
    issuing: { when: 'epoch', write: serviceAssumesRole('lambda.amazonaws.com', arn) },
  })
}

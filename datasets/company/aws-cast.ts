import { hashNumbers, hashText, Random } from '../random.ts'
import {
  AUTOSCALING_OPERATIONS,
  type AwsOperation,
  BACKUP_OPERATIONS,
  BILLING_OPERATIONS,
  CI_OPERATIONS,
  ETL_OPERATIONS,
  LAMBDA_OPERATIONS,
  LEGACY_OPERATIONS,
  PERSON_OPERATIONS,
  serviceOperations,
  VENDOR_OPERATIONS,
} from './aws-operations.ts'
import { type AwsActor, createAwsActor, periodKey, serviceAssumesRole } from './aws-actor.ts'
import {
  ACCOUNT,
  assumedRole,
  awsId,
  cloudTrailLine,
  iamUser,
  REGION,
  VENDOR_ACCOUNT,
} from './cloudtrail-record.ts'
import type { CastContext } from './cast-context.ts'
import { hostIn, type Network, otherHostIn } from './networks.ts'
import { type Archetype, type CompanyIdentity, DAY, HOUR, MINUTE, WEEK } from './record.ts'
import {
  hourlyAt,
  monthly,
  nightly,
  officeHours,
  person,
  pipelineRuns,
  type Rhythm,
  roundTheClock,
  untilDay,
} from './rhythm.ts'

const OIDC_PROVIDER = `arn:aws:iam::${ACCOUNT}:oidc-provider/token.actions.githubusercontent.com`
const REPOSITORY = 'repo:synthetic-company/platform:ref:refs/heads/main'
const BROWSER =
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36'

export const roleArn = (name: string): string => `arn:aws:iam::${ACCOUNT}:role/${name}`

interface RoleOptions {
  readonly archetype: Archetype
  readonly name: string
  readonly workload: string
  readonly habits: string
  readonly operations: readonly AwsOperation[]
  readonly rhythm: Rhythm
  readonly path?: string
}

/** Roles on EC2 instances: sessions named by the instance, renewed every six hours, instances replaced every 4–12 days. */
function onInstances(context: CastContext, slots: number, options: RoleOptions): AwsActor {
  const { arn, roleId, identity, seed, common } = role(context, options)
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
function onLambda(context: CastContext, options: RoleOptions): AwsActor {
  const { arn, roleId, identity, seed, common } = role(context, options)
  const functionName = `synthetic-${options.workload}`
  return createAwsActor({
    ...common,
    identity,
    slots: 3,
    epochAt: (time, slot) => [0, Math.floor((time - (hashNumbers(seed, slot, 14) % 120) * MINUTE) / (2 * HOUR))],
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

function ciDeployer(context: CastContext): AwsActor {
  const { arn, roleId, identity, seed, common } = role(context, {
    archetype: 'ci-deployer',
    name: 'synthetic-ci-deployer',
    workload: 'artifacts',
    habits: 'Deploys on working days from hosted runners (Azure); each run is a new session and address.',
    operations: CI_OPERATIONS,
    rhythm: pipelineRuns(2.2, 28),
  })
  return createAwsActor({
    ...common,
    identity,
    slots: 1,
    epochAt: (time) => [0, Math.floor(time / (10 * MINUTE))],
    credential: (epoch) => {
      const session = `GitHubActions-${epoch[1]}`
      const accessKeyId = awsId('ASIA', new Random(seed, 0, 0, epoch[1]))
      const created = epoch[1] * 10 * MINUTE
      return {
        userIdentity: assumedRole({
          roleArn: arn,
          roleId,
          session,
          accessKeyId,
          created,
          context: `,"webIdFederationData":{"federatedProvider":"${OIDC_PROVIDER}","attributes":{}}`,
        }),
        accessKeyId,
        session,
        address: hostIn('azure', hashNumbers(seed, epoch[1])),
        userAgent:
          'APN/1.0 HashiCorp/1.0 Terraform/1.9.8 (+https://www.terraform.io) terraform-provider-aws/5.76.0 (+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go-v2/1.32.4 ua/2.1 os/linux lang/go#1.23.3 md/GOOS#linux md/GOARCH#amd64',
        created,
      }
    },
    issuing: {
      when: 'use',
      write: (time, credential, random) =>
        cloudTrailLine(
          {
            time,
            service: 'sts',
            name: 'AssumeRoleWithWebIdentity',
            readOnly: true,
            userIdentity: `{"type":"WebIdentityUser","principalId":"${OIDC_PROVIDER}:sts.amazonaws.com:${REPOSITORY}","userName":"${REPOSITORY}","identityProvider":"${OIDC_PROVIDER}"}`,
            address: credential.address,
            userAgent: 'aws-sdk-nodejs/2.1692.0 linux/v20.18.0 configure-aws-credentials-for-github-actions',
            parameters: `{"roleArn":"${arn}","roleSessionName":"${credential.session}","durationSeconds":3600}`,
            response: `{"credentials":{"accessKeyId":"${credential.accessKeyId}","sessionToken":"REDACTED"},"subjectFromWebIdentityToken":"${REPOSITORY}","provider":"${OIDC_PROVIDER}","audience":"sts.amazonaws.com"}`,
            resources: `[{"accountId":"${ACCOUNT}","type":"AWS::IAM::Role","ARN":"${arn}"}]`,
          },
          random,
        ),
    },
  })
}

/** A role assumed from outside on one fixed address: the vendor's poller. */
function vendor(context: CastContext): AwsActor {
  const { arn, roleId, identity, seed, common } = role(context, {
    archetype: 'vendor',
    name: 'synthetic-vendor-monitoring',
    workload: 'monitoring',
    habits: "A monitoring vendor's account assumes it every hour from Google's cloud and describes things all day.",
    operations: VENDOR_OPERATIONS,
    rhythm: roundTheClock(28, 0, 1),
  })
  const vendorId = vendorPrincipal(context)
  return createAwsActor({
    ...common,
    identity,
    slots: 1,
    epochAt: (time) => [0, Math.floor(time / HOUR)],
    credential: (epoch) => {
      const accessKeyId = awsId('ASIA', new Random(seed, 0, 0, epoch[1]))
      return {
        userIdentity: assumedRole({
          roleArn: arn,
          roleId,
          session: 'vendor-poller',
          accessKeyId,
          created: epoch[1] * HOUR,
        }),
        accessKeyId,
        session: 'vendor-poller',
        address: hostIn('google', hashNumbers(seed, Math.floor(epoch[1] / 400))),
        userAgent: 'aws-sdk-go/1.55.5 (go1.22.8; linux; amd64) vendor-poller/4.18',
        created: epoch[1] * HOUR,
      }
    },
    issuing: {
      when: 'epoch',
      write: (time, credential, random) =>
        cloudTrailLine(
          {
            time,
            service: 'sts',
            name: 'AssumeRole',
            readOnly: true,
            userIdentity: `{"type":"AWSAccount","principalId":"${vendorId}:poller","accountId":"${VENDOR_ACCOUNT}"}`,
            address: credential.address,
            userAgent: credential.userAgent,
            parameters: `{"roleArn":"${arn}","roleSessionName":"vendor-poller","externalId":"synthetic-external-id"}`,
            response: `{"credentials":{"accessKeyId":"${credential.accessKeyId}","sessionToken":"REDACTED"}}`,
            resources: `[{"accountId":"${ACCOUNT}","type":"AWS::IAM::Role","ARN":"${arn}"}]`,
          },
          random,
        ),
    },
  })
}

const vendorPrincipal = (context: CastContext): string => awsId('AROA', new Random(context.seed, 77))

function autoscaling(context: CastContext): AwsActor {
  const service = 'autoscaling.amazonaws.com'
  const { arn, roleId, identity, seed, common } = role(context, {
    archetype: 'autoscaling',
    name: 'AWSServiceRoleForAutoScaling',
    path: `aws-service-role/${service}/`,
    workload: 'web',
    habits: 'Service-linked role: EC2 Auto Scaling checks and replaces instances, always as the service.',
    operations: AUTOSCALING_OPERATIONS,
    rhythm: roundTheClock(9),
  })
  return createAwsActor({
    ...common,
    identity,
    slots: 1,
    epochAt: (time) => [0, Math.floor(time / HOUR)],
    credential: (epoch) => {
      const accessKeyId = awsId('ASIA', new Random(seed, 0, 0, epoch[1]))
      return {
        userIdentity: assumedRole({
          roleArn: arn,
          roleId,
          session: 'AutoScaling',
          accessKeyId,
          created: epoch[1] * HOUR,
          extra: `,"invokedBy":"${service}"`,
        }),
        accessKeyId,
        session: 'AutoScaling',
        address: service,
        userAgent: service,
        created: epoch[1] * HOUR,
      }
    },
  })
}

/** Day at which a fixed address moves inside its own network; never for half of them. */
export function egressChangeDay(context: CastContext, seed: number): number {
  return hashNumbers(seed, 21) % 2 === 0
    ? Number.POSITIVE_INFINITY
    : Math.floor(context.days * (0.3 + (hashNumbers(seed, 22) % 40) / 100))
}

function legacyBot(context: CastContext, name: string, network: Network): AwsActor {
  const user = `synthetic-${name}-bot`
  const identity: CompanyIdentity = {
    id: `arn:aws:iam::${ACCOUNT}:user/${user}`,
    source: 'cloudtrail',
    archetype: 'long-term-key',
    name: user,
    owner: context.ownerOf(name),
    human: false,
    habits: `Legacy script with a long-term key on one fixed host (${network}), mostly in office hours.`,
  }
  const seed = hashNumbers(context.seed, hashText(identity.id))
  const changeDay = egressChangeDay(context, seed)
  return createAwsActor({
    ...context.common(seed, name, LEGACY_OPERATIONS, officeHours(12, 1)),
    identity,
    slots: 1,
    epochAt: (time) => [time >= context.start + changeDay * DAY ? 1 : 0, 0],
    credential: (epoch) => {
      const accessKeyId = awsId('AKIA', new Random(seed, 1))
      return {
        userIdentity: iamUser({ name: user, userId: awsId('AIDA', new Random(seed, 2)), accessKeyId }),
        accessKeyId,
        session: '',
        address: epoch[0] === 0 ? hostIn(network, seed) : otherHostIn(network, seed),
        userAgent: 'Boto3/1.26.90 Python/3.8.10 Linux/5.4.0-200-generic Botocore/1.29.90',
        created: 0,
      }
    },
  })
}

function administrator(context: CastContext, name: string, network: Network, offset: number): AwsActor {
  const identity: CompanyIdentity = {
    id: `arn:aws:iam::${ACCOUNT}:user/${name}`,
    source: 'cloudtrail',
    archetype: 'person',
    name,
    owner: `${name}@synthetic.example`,
    human: true,
    habits: `A person at the console with MFA, irregular working hours, from home or office (${network}).`,
  }
  const seed = hashNumbers(context.seed, hashText(identity.id))
  return createAwsActor({
    ...context.common(seed, 'console', PERSON_OPERATIONS, person(22, offset)),
    identity,
    slots: 1,
    epochAt: (time) => [0, Math.floor((time - 4 * HOUR) / DAY)],
    credential: (epoch) => {
      const created = epoch[1] * DAY + 4 * HOUR
      const accessKeyId = awsId('ASIA', new Random(seed, 0, 0, epoch[1]))
      return {
        userIdentity: iamUser({ name, userId: awsId('AIDA', new Random(seed, 2)), accessKeyId, console: created }),
        accessKeyId,
        session: '',
        address: hostIn(network, hashNumbers(seed, hashNumbers(seed, epoch[1]) % 3)),
        userAgent: BROWSER,
        created,
        extra: ',"sessionCredentialFromConsole":"true"',
      }
    },
    issuing: {
      when: 'use',
      write: (time, credential, random) =>
        cloudTrailLine(
          {
            time,
            service: 'signin',
            name: 'ConsoleLogin',
            readOnly: false,
            userIdentity: iamUser({ name, userId: awsId('AIDA', new Random(seed, 2)), accessKeyId: '' }),
            address: credential.address,
            userAgent: BROWSER,
            parameters: 'null',
            response: '{"ConsoleLogin":"Success"}',
            eventType: 'AwsConsoleSignIn',
            extra: ',"additionalEventData":{"LoginTo":"https://console.aws.amazon.com/console/home","MobileVersion":"No","MFAUsed":"Yes"}',
          },
          random,
        ),
    },
  })
}

function role(context: CastContext, options: RoleOptions) {
  const arn = roleArn(`${options.path ?? ''}${options.name}`)
  const seed = hashNumbers(context.seed, hashText(arn))
  const identity: CompanyIdentity = {
    id: arn,
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

/** How many of each AWS archetype to make. */
export interface AwsCounts {
  readonly instanceRoles: number
  readonly lambdaRoles: number
  readonly etlRoles: number
  readonly longTermKeys: number
  readonly people: number
}

export interface Cast<A> {
  readonly actors: readonly A[]
  /** Identities without a program of their own, whose records others cause. */
  readonly passive: readonly CompanyIdentity[]
}

const BOT_NETWORKS: readonly Network[] = ['noris', 'hetzner', 'colt', 'sunrise']
const PEOPLE = ['anna.keller', 'bob.meyer', 'carla.nunez', 'dmitri.olsen', 'esra.polat', 'frank.quist'] as const
const PEOPLE_NETWORKS: readonly (readonly [Network, number])[] = [
  ['telekom', 1],
  ['comcast', -5],
  ['kpn', 1],
  ['bt', 0],
]

export function castAws(context: CastContext, counts: AwsCounts): Cast<AwsActor> {
  const actors: AwsActor[] = [
    ciDeployer(context),
    onInstances(context, 1, {
      archetype: 'backup',
      name: 'synthetic-backup',
      workload: 'backup',
      habits: 'Snapshots volumes and databases every night at two, from one instance.',
      operations: BACKUP_OPERATIONS,
      rhythm: nightly(2, 70),
    }),
    onLambda(context, {
      archetype: 'billing-export',
      name: 'synthetic-billing-export',
      workload: 'billing',
      habits: 'Exports costs once a month, on the second at five.',
      operations: BILLING_OPERATIONS,
      rhythm: monthly(5, 60),
    }),
    autoscaling(context),
    vendor(context),
    onInstances(context, 1, {
      archetype: 'dormant-role',
      name: 'synthetic-migration',
      workload: 'migration',
      habits: 'Moved data in the first days of the company and has slept since.',
      operations: LEGACY_OPERATIONS,
      rhythm: untilDay(Math.max(2, Math.min(6, Math.ceil(context.days * 0.15))), officeHours(30, 1)),
    }),
  ]
  for (let i = 0; i < counts.instanceRoles; i += 1) {
    const workload = context.serviceName(i)
    actors.push(
      onInstances(context, 2 + (i % 3), {
        archetype: 'instance-role',
        name: `synthetic-${workload}-service`,
        workload,
        habits: 'Serves traffic round the clock on a few instances in eu-west-1; own table, bucket and secrets.',
        operations: serviceOperations(i),
        rhythm: roundTheClock(40),
      }),
    )
  }
  for (let i = 0; i < counts.lambdaRoles; i += 1) {
    const workload = `${context.serviceName(i + 3)}-events`
    actors.push(
      onLambda(context, {
        archetype: 'lambda-role',
        name: `synthetic-${workload}-function`,
        workload,
        habits: 'A function that handles events round the clock, quieter at night.',
        operations: LAMBDA_OPERATIONS,
        rhythm: roundTheClock(18, 0.7),
      }),
    )
  }
  for (let i = 0; i < counts.etlRoles; i += 1) {
    const workload = `${context.serviceName(i + 6)}-etl`
    actors.push(
      onInstances(context, 1, {
        archetype: 'etl',
        name: `synthetic-${workload}`,
        workload,
        habits: 'Reads and rewrites its part of the lake every hour at the same minute.',
        operations: ETL_OPERATIONS,
        rhythm: hourlyAt(4 + ((i * 17) % 40), 8, 26),
      }),
    )
  }
  for (let i = 0; i < counts.longTermKeys; i += 1) {
    actors.push(legacyBot(context, context.serviceName(i + 9), BOT_NETWORKS[i % BOT_NETWORKS.length] ?? 'noris'))
  }
  for (let i = 0; i < counts.people; i += 1) {
    const name = PEOPLE[i % PEOPLE.length] ?? PEOPLE[0]
    const [network, offset] = PEOPLE_NETWORKS[i % PEOPLE_NETWORKS.length] ?? (['telekom', 1] as const)
    actors.push(administrator(context, i < PEOPLE.length ? name : `${name}-${i}`, network, offset))
  }
  const passive = (
    id: string,
    archetype: Archetype,
    name: string,
    habits: string,
  ): CompanyIdentity => ({ id, source: 'cloudtrail', archetype, name, owner: 'aws', human: false, habits })
  return {
    actors,
    passive: [
      passive(
        `aws:federated:${OIDC_PROVIDER}:${REPOSITORY}`,
        'ci-federation',
        'github-actions',
        'The repository whose runs become the deployer, at the start of each run.',
      ),
      passive('ec2.amazonaws.com', 'cloud-service', 'ec2', 'Assumes roles for instances.'),
      passive('lambda.amazonaws.com', 'cloud-service', 'lambda', 'Assumes roles for functions.'),
      passive(
        `aws:account:${VENDOR_ACCOUNT}:${vendorPrincipal(context)}`,
        'vendor',
        'vendor-account',
        'The vendor assumes its role every hour.',
      ),
    ],
  }
}

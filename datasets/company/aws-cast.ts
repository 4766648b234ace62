import type { AwsActor } from './aws-actor.ts'
import {
  BACKUP_OPERATIONS,
  BILLING_OPERATIONS,
  ETL_OPERATIONS,
  LAMBDA_OPERATIONS,
  LEGACY_OPERATIONS,
  serviceOperations,
} from './aws-operations.ts'
import {
  autoscaling,
  ciDeployer,
  OIDC_PROVIDER,
  REPOSITORY,
  vendor,
  vendorPrincipal,
} from './aws-outsiders.ts'
import { onInstances, onLambda } from './aws-roles.ts'
import { administrator, legacyBot } from './aws-users.ts'
import type { CastContext } from './cast-context.ts'
import { VENDOR_ACCOUNT } from './cloudtrail-record.ts'
import type { Network } from './networks.ts'
import type { Archetype, CompanyIdentity } from './record.ts'
import { hourlyAt, monthly, nightly, officeHours, roundTheClock, untilDay } from './rhythm.ts'

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
const PEOPLE = [
  'anna.keller',
  'bob.meyer',
  'carla.nunez',
  'dmitri.olsen',
  'esra.polat',
  'frank.quist',
] as const
const PEOPLE_NETWORKS: readonly (readonly [Network, number])[] = [
  ['telekom', 1],
  ['comcast', -5],
  ['kpn', 1],
  ['bt', 0],
]

/** Everybody who calls AWS. */
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
        habits:
          'Serves traffic round the clock on a few instances in eu-west-1; own table, bucket and secrets.',
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
    actors.push(
      legacyBot(context, context.serviceName(i + 9), BOT_NETWORKS[i % BOT_NETWORKS.length] ?? 'noris'),
    )
  }
  for (let i = 0; i < counts.people; i += 1) {
    const name = PEOPLE[i % PEOPLE.length] ?? PEOPLE[0]
    const [network, offset] = PEOPLE_NETWORKS[i % PEOPLE_NETWORKS.length] ?? (['telekom', 1] as const)
    actors.push(administrator(context, i < PEOPLE.length ? name : `${name}-${i}`, network, offset))
  }
  const passive = (id: string, archetype: Archetype, name: string, habits: string): CompanyIdentity => ({
    id,
    source: 'cloudtrail',
    archetype,
    name,
    owner: 'aws',
    human: false,
    habits,
  })
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

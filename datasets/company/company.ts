import { hashNumbers, hashText, Random } from '../random.ts'
import { castKeycloak, castOkta, castVault, type KeycloakActor, type VaultActor } from './auth-cast.ts'
import type { AwsActor } from './aws-actor.ts'
import { castAws } from './aws-cast.ts'
import { type CastContext, createCastContext } from './cast-context.ts'
import { castGateway, type PartnerActor } from './gateway-cast.ts'
import type { WorkloadActor } from './kubernetes-actor.ts'
import { castKubernetes } from './kubernetes-cast.ts'
import type { Node } from './kubernetes-nodes.ts'
import {
  type Actor,
  type Archetype,
  type BenignChange,
  type CompanyIdentity,
  type CompanyRecord,
  DAY,
  HOUR,
  hourAt,
  WEEK,
} from './record.ts'

export interface CompanyOptions {
  /** Any integer. The same seed, start, days, identities and scale give the same bytes. */
  readonly seed: number
  /** Epoch ms. */
  readonly start: number
  readonly days: number
  /** How many identities; 45 when absent, never fewer than 34 (one of each kind and what it needs). */
  readonly identities?: number
  /** Factor on every rate of events; 1 gives about 20 events an hour and identity. */
  readonly scale?: number
  /**
   * Tenant that the logs will be read with: the Kubernetes cluster and Okta organisation in identity ids. When absent, the
   * sources' own default (no tenant; the cluster is then called `default`).
   */
  readonly tenant?: string
}

/** A synthetic company: who is in it, and everything they do. None of it is real. */
export interface Company {
  readonly seed: number
  /** Epoch ms; the end is excluded. */
  readonly start: number
  readonly end: number
  readonly cluster: string
  /** Everybody who will appear in the records. */
  readonly identities: readonly CompanyIdentity[]
  /** Programs by plane, for attacks that act as one of them. */
  readonly aws: readonly AwsActor[]
  readonly workloads: readonly WorkloadActor[]
  readonly nodes: readonly Node[]
  readonly partners: readonly PartnerActor[]
  readonly vault: readonly VaultActor[]
  readonly keycloak: readonly KeycloakActor[]
  /** The AWS program of an archetype; the n-th of them, counted round. Throws RangeError when there is none. */
  readonly awsOf: (archetype: Archetype, index?: number) => AwsActor
  /**
   * Records with from ≤ time < to, in order of time, in batches of at most a few thousand. Any interval may be asked for
   * at any time: what it holds depends on the interval alone. Holds one hour's plan in memory, never its text.
   */
  readonly records: (from: number, to: number) => Generator<CompanyRecord[]>
  /** Benign novelties that an honest detector may notice and must not shout about, in no particular order. */
  readonly changes: () => readonly BenignChange[]
}

const BATCH = 2048

/** Makes a company. Costs milliseconds; nothing is generated before it is asked for. */
export function createCompany(options: CompanyOptions): Company {
  const { seed, start, days } = options
  const tenant = options.tenant ?? ''
  const cluster = tenant || 'default'
  const context = createCastContext({ seed, start, days, scale: options.scale ?? 1, tenant })
  const counts = countsFor(options.identities ?? 45)
  const aws = castAws(context, counts)
  const kubernetes = castKubernetes(context, cluster, counts)
  const partners = castGateway(context, counts.partners)
  const vault = castVault(context, counts.vault)
  const keycloak = castKeycloak(context, counts.keycloak)
  const actors: readonly Actor[] = [
    ...aws.actors,
    ...kubernetes.actors,
    ...partners,
    ...vault,
    ...keycloak,
    ...castOkta(context, counts.okta),
  ]
  const hashes = actors.map(({ identity }) => hashText(identity.id))

  function* records(from: number, to: number): Generator<CompanyRecord[]> {
    const first = Math.floor(Math.max(from, start) / HOUR)
    const until = Math.min(to, start + days * DAY)
    let batch: CompanyRecord[] = []
    for (let index = first; index * HOUR < until; index += 1) {
      for (const planned of planHour(actors, hashes, seed, index, start)) {
        if (planned.time < from || planned.time < start || planned.time >= until) continue
        batch.push(writeRecord(actors, hashes, seed, index, planned))
        if (batch.length >= BATCH) {
          yield batch
          batch = []
        }
      }
      if (batch.length > 0) yield batch
      batch = []
    }
  }

  return {
    seed,
    start,
    end: start + days * DAY,
    cluster,
    identities: [...actors.map(({ identity }) => identity), ...aws.passive, ...kubernetes.passive],
    aws: aws.actors,
    workloads: kubernetes.workloads,
    nodes: kubernetes.nodes,
    partners,
    vault,
    keycloak,
    awsOf: (archetype, index = 0) => {
      const found = aws.actors.filter(({ identity }) => identity.archetype === archetype)
      const actor = found[index % Math.max(1, found.length)]
      if (actor === undefined) throw new RangeError(`no ${archetype} in the company`)
      return actor
    },
    records,
    changes: () => changesOf(context, aws.actors, kubernetes.workloads, partners),
  }
}

interface Planned {
  readonly time: number
  readonly actor: number
  readonly operation: number
  readonly sequence: number
}

/** Everything that happens in an hour, in order of time; equal times keep the order of the cast. */
function planHour(
  actors: readonly Actor[],
  hashes: readonly number[],
  seed: number,
  index: number,
  start: number,
): readonly Planned[] {
  const hour = hourAt(index, start)
  const planned: Planned[] = []
  const random = new Random(0)
  actors.forEach((actor, position) => {
    random.seed(seed, hashes[position], index, 1)
    actor.plan(hour, random, (time, operation, sequence) => {
      planned.push({ time, actor: position, operation, sequence })
    })
  })
  return planned.sort((a, b) => a.time - b.time)
}

const writer = new Random(0)

function writeRecord(
  actors: readonly Actor[],
  hashes: readonly number[],
  seed: number,
  index: number,
  { time, actor, operation, sequence }: Planned,
): CompanyRecord {
  const program = actors[actor]
  if (program === undefined) throw new RangeError(`no actor ${actor}`)
  const random = writer.seed(hashNumbers(seed, 2), hashes[actor], index, sequence + 2)
  return { time, source: program.identity.source, line: program.write(time, operation, random) }
}

/** What is always there: 10 AWS identities, 4 platform and 5 other Kubernetes ones. */
const FIXED = 19
const SMALLEST = {
  instanceRoles: 2,
  lambdaRoles: 1,
  etlRoles: 1,
  longTermKeys: 1,
  people: 1,
  workloads: 2,
  nodes: 2,
  partners: 1,
  vault: 2,
  keycloak: 1,
  okta: 1,
}
type Counts = Record<keyof typeof SMALLEST, number>
/** Who comes next when a company grows by twenty. */
const GROWTH: readonly (keyof Counts)[] = [
  'workloads',
  'instanceRoles',
  'partners',
  'longTermKeys',
  'keycloak',
  'workloads',
  'people',
  'lambdaRoles',
  'etlRoles',
  'nodes',
  'vault',
  'instanceRoles',
  'workloads',
  'partners',
  'lambdaRoles',
  'instanceRoles',
  'okta',
  'workloads',
  'partners',
  'etlRoles',
]

function countsFor(identities: number): Counts {
  const counts: Counts = { ...SMALLEST }
  let total = FIXED + Object.values(SMALLEST).reduce((sum, count) => sum + count, 0)
  for (let turn = 0; total < identities; turn += 1, total += 1) {
    const next = GROWTH[turn % GROWTH.length]
    if (next !== undefined) counts[next] += 1
  }
  return counts
}

function changesOf(
  context: CastContext,
  aws: readonly AwsActor[],
  workloads: readonly WorkloadActor[],
  partners: readonly PartnerActor[],
): readonly BenignChange[] {
  const end = context.start + context.days * DAY
  const changes: BenignChange[] = []
  for (const actor of aws) {
    for (const operation of actor.operations) {
      if (operation.sinceWeek === undefined) continue
      const time = context.start + operation.sinceWeek * WEEK + context.deployment(actor.workload)
      const detail = `${operation.service}.amazonaws.com:${operation.name}`
      changes.push({ time, identity: actor.identity.id, what: 'new-action', detail })
    }
    if (actor.identity.archetype === 'long-term-key') {
      changes.push(
        ...egressChanges(context, actor.identity.id, (time) => actor.credentialAt(time, 0).address),
      )
    }
  }
  for (const actor of workloads) {
    const deployment = context.deployment(actor.serviceAccount)
    for (const { verb, resource, sinceWeek } of actor.habits) {
      if (sinceWeek === undefined) continue
      const time = context.start + sinceWeek * WEEK + deployment
      changes.push({ time, identity: actor.identity.id, what: 'new-action', detail: `${verb} ${resource}` })
    }
    for (let time = context.start + deployment; time < end; time += WEEK) {
      changes.push({ time, identity: actor.identity.id, what: 'deployment', detail: 'new pods' })
    }
  }
  for (const actor of partners) {
    changes.push(...egressChanges(context, actor.identity.id, (time) => actor.addressAt(time, 0)))
  }
  return changes.filter(({ time }) => time >= context.start && time < end)
}

/** Days on which a fixed address became another. */
function egressChanges(
  context: CastContext,
  identity: string,
  addressAt: (time: number) => string,
): readonly BenignChange[] {
  const changes: BenignChange[] = []
  for (let day = 1; day < context.days; day += 1) {
    const time = context.start + day * DAY
    const [before, after] = [addressAt(time - 1), addressAt(time)]
    if (before !== after)
      changes.push({ time, identity, what: 'egress-change', detail: `${before} → ${after}` })
  }
  return changes
}

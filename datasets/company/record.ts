import type { Random } from '../random.ts'

/**
 * Vocabulary of the synthetic company. Nothing of it is real; every bucket, owner and mail address says `synthetic`.
 *
 * - **record**: one raw log line, byte for byte as a producer of that format would write it.
 * - **identity**: who a record will be attributed to, by Plumbline's canonical id.
 * - **actor**: the program behind records: it plans an hour, then writes lines. Passive identities have none: their
 *   records are by-products of others (a kubelet asks for the tokens of the pods it runs).
 * - **slot**: one of the copies an actor runs as: an instance, a pod, a worker.
 * - **change**: a benign novelty: a deployment with new calls, another egress address, a pod on another node.
 */
export interface CompanyRecord {
  /** Event time as the record says it, epoch ms. */
  readonly time: number
  readonly source: CompanySource
  /** One NDJSON line without its newline. */
  readonly line: string
}

export const COMPANY_SOURCES = [
  'cloudtrail',
  'kubernetes-audit',
  'aws-api-gateway',
  'vault-audit',
  'keycloak',
  'okta',
] as const
export type CompanySource = (typeof COMPANY_SOURCES)[number]

export const ARCHETYPES = [
  'ci-deployer',
  'ci-federation',
  'backup',
  'billing-export',
  'etl',
  'instance-role',
  'lambda-role',
  'cloud-service',
  'autoscaling',
  'vendor',
  'long-term-key',
  'dormant-role',
  'person',
  'workload',
  'platform-workload',
  'cluster-deployer',
  'kubelet',
  'control-plane',
  'partner-key',
  'vault-client',
  'keycloak-client',
  'okta-client',
] as const
export type Archetype = (typeof ARCHETYPES)[number]

export interface CompanyIdentity {
  /** Plumbline's canonical identity id. */
  readonly id: string
  readonly source: CompanySource
  readonly archetype: Archetype
  readonly name: string
  readonly owner: string
  readonly human: boolean
  /** What it does, when and from where, in one sentence. */
  readonly habits: string
}

/** A clock hour of event time. */
export interface Hour {
  /** Hours since the epoch. */
  readonly index: number
  /** Epoch ms. */
  readonly start: number
  /** 0 … 23, UTC. */
  readonly ofDay: number
  /** 0 = Sunday … 6, UTC. */
  readonly weekday: number
  readonly dayOfMonth: number
  /** Days since the company's start; negative before it. */
  readonly day: number
}

/** Notes one record to be written: when, which of the actor's operations, and a number unique in that actor's hour. */
export type Note = (time: number, operation: number, sequence: number) => void

export interface Actor {
  readonly identity: CompanyIdentity
  /** Decides what happens in an hour. `random` is seeded for this actor and hour; times must lie inside the hour. */
  readonly plan: (hour: Hour, random: Random, note: Note) => void
  /** Writes one planned record. `random` is seeded for this record alone. */
  readonly write: (time: number, operation: number, random: Random) => string
}

export interface BenignChange {
  readonly time: number
  readonly identity: string
  readonly what: 'new-action' | 'egress-change' | 'deployment'
  readonly detail: string
}

export const MINUTE = 60_000
export const HOUR = 3_600_000
export const DAY = 86_400_000
export const WEEK = 7 * DAY

export function hourAt(index: number, companyStart: number): Hour {
  const start = index * HOUR
  const date = new Date(start)
  return {
    index,
    start,
    ofDay: date.getUTCHours(),
    weekday: date.getUTCDay(),
    dayOfMonth: date.getUTCDate(),
    day: Math.floor((start - companyStart) / DAY),
  }
}

import {
  ACCESS_LEVELS,
  ACTIVITY_CLASSES,
  type Activity,
  EFFECTS,
  IDENTITY_KINDS,
  type Issuance,
  KINDS,
  NETWORK_KINDS,
  OUTCOMES,
} from '../../ingest/activity.ts'
import { COLUMNS } from './columns.ts'
import { count } from './encode.ts'
import { StoreError } from './store-error.ts'

/** Columns of `activity` as SQL, in the order `activityOf` reads them. */
export const ACTIVITY_COLUMNS = COLUMNS.activity.join(', ')

/** One line of an insert: the activity in the order of `COLUMNS.activity`. */
export function activityLine(a: Activity, seq: number): string {
  const { identity, origin, issuance } = a
  return JSON.stringify([
    a.uid,
    count(a.time),
    seq,
    a.source,
    a.kind,
    a.class,
    identity.id,
    identity.kind,
    identity.provider,
    identity.tenant,
    identity.human,
    identity.humanReason,
    a.action,
    a.service,
    a.accessLevel,
    a.effect,
    a.resourceClass,
    a.resources,
    a.outcome,
    a.errorCode,
    a.credential,
    a.authMethod,
    a.session,
    issuance.workload ?? '',
    issuance.workloadUid ?? '',
    issuance.node ?? '',
    origin.kind,
    origin.address,
    origin.prefix,
    origin.country,
    count(origin.asn),
    origin.network,
    a.userAgent,
    a.userAgentFamily,
    a.region,
    a.requestId,
    a.actingAs,
    count(a.bytesOut),
    a.details,
  ])
}

export interface StoredActivity {
  readonly activity: Activity
  /** Order of first writing. */
  readonly seq: number
}

/**
 * Reads a row of `ACTIVITY_COLUMNS` back. A hand guard, not zod: a restart reads back every open activity before the first
 * event can be scored. Throws `store-row-invalid` naming the column.
 */
export function activityOf(row: readonly unknown[]): StoredActivity {
  const activity: Activity = {
    uid: text(row, 0),
    time: number(row, 1),
    source: text(row, 3),
    kind: member(row, 4, KINDS),
    class: member(row, 5, ACTIVITY_CLASSES),
    identity: {
      id: text(row, 6),
      kind: member(row, 7, IDENTITY_KINDS),
      provider: text(row, 8),
      tenant: text(row, 9),
      human: member(row, 10, HUMAN),
      humanReason: text(row, 11),
    },
    action: text(row, 12),
    service: text(row, 13),
    accessLevel: member(row, 14, ACCESS_LEVELS),
    effect: member(row, 15, EFFECTS_OR_NONE),
    resourceClass: text(row, 16),
    resources: texts(row, 17),
    outcome: member(row, 18, OUTCOMES),
    errorCode: text(row, 19),
    credential: text(row, 20),
    authMethod: text(row, 21),
    session: text(row, 22),
    issuance: issuanceOf(text(row, 23), text(row, 24), text(row, 25)),
    origin: {
      kind: member(row, 26, NETWORK_KINDS),
      address: text(row, 27),
      prefix: text(row, 28),
      country: text(row, 29),
      asn: number(row, 30),
      network: text(row, 31),
    },
    userAgent: text(row, 32),
    userAgentFamily: text(row, 33),
    region: text(row, 34),
    requestId: text(row, 35),
    actingAs: text(row, 36),
    bytesOut: number(row, 37),
    details: map(row, 38),
  }
  return { activity, seq: number(row, 2) }
}

const EFFECTS_OR_NONE = ['', ...EFFECTS] as const
const HUMAN = ['yes', 'no', 'unknown'] as const

function issuanceOf(workload: string, workloadUid: string, node: string): Issuance {
  if (workload === '' && workloadUid === '' && node === '') return {}
  return {
    ...(workload === '' ? {} : { workload }),
    ...(workloadUid === '' ? {} : { workloadUid }),
    ...(node === '' ? {} : { node }),
  }
}

function invalid(column: number): StoreError {
  return new StoreError(
    'store-row-invalid',
    `activity.${COLUMNS.activity[column] ?? column} is not what was written.`,
  )
}

function text(row: readonly unknown[], column: number): string {
  const value = row[column]
  if (typeof value !== 'string') throw invalid(column)
  return value
}

function number(row: readonly unknown[], column: number): number {
  const value = row[column]
  if (typeof value !== 'number') throw invalid(column)
  return value
}

function member<T extends string>(row: readonly unknown[], column: number, allowed: readonly T[]): T {
  const value = row[column]
  // At most 17 words: a loop is as fast as a Set and narrows the type.
  for (const word of allowed) if (word === value) return word
  throw invalid(column)
}

function texts(row: readonly unknown[], column: number): readonly string[] {
  const value = row[column]
  if (!Array.isArray(value)) throw invalid(column)
  for (const item of value) if (typeof item !== 'string') throw invalid(column)
  return value
}

function map(row: readonly unknown[], column: number): Readonly<Record<string, string>> {
  const value: unknown = row[column]
  if (!isTextRecord(value)) throw invalid(column)
  return value
}

function isTextRecord(value: unknown): value is Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  for (const item of Object.values(value)) if (typeof item !== 'string') return false
  return true
}

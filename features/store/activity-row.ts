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
import { count, count32 } from './encode.ts'
import { type Column, int64, text, textMap, texts, uint32, uint64, word } from './native-block.ts'
import { StoreError } from './store-error.ts'

/** Columns of `activity` as SQL, in the order `activityOf` reads them. */
export const ACTIVITY_COLUMNS = COLUMNS.activity.join(', ')

/** An activity as columns of a block, in the order of `COLUMNS.activity`. */
export const ACTIVITY: readonly Column<Activity>[] = [
  text('uid', (a) => a.uid),
  int64('time', (a) => count(a.time)),
  uint64('seq', (_, seq) => seq),
  word('source', (a) => a.source),
  word('kind', (a) => a.kind),
  word('class', (a) => a.class),
  text('identity', (a) => a.identity.id),
  word('identity_kind', (a) => a.identity.kind),
  word('provider', (a) => a.identity.provider),
  word('tenant', (a) => a.identity.tenant),
  word('human', (a) => a.identity.human),
  word('human_reason', (a) => a.identity.humanReason),
  word('action', (a) => a.action),
  word('service', (a) => a.service),
  word('access_level', (a) => a.accessLevel),
  word('effect', (a) => a.effect),
  word('resource_class', (a) => a.resourceClass),
  texts('resources', (a) => a.resources),
  word('outcome', (a) => a.outcome),
  word('error_code', (a) => a.errorCode),
  text('credential', (a) => a.credential),
  word('auth_method', (a) => a.authMethod),
  text('session', (a) => a.session),
  text('issuance_workload', (a) => a.issuance.workload ?? ''),
  text('issuance_workload_uid', (a) => a.issuance.workloadUid ?? ''),
  text('issuance_node', (a) => a.issuance.node ?? ''),
  word('origin_kind', (a) => a.origin.kind),
  text('address', (a) => a.origin.address),
  text('prefix', (a) => a.origin.prefix),
  word('country', (a) => a.origin.country),
  uint32('asn', (a) => count32(a.origin.asn)),
  word('network', (a) => a.origin.network),
  word('user_agent', (a) => a.userAgent),
  word('user_agent_family', (a) => a.userAgentFamily),
  word('region', (a) => a.region),
  text('request_id', (a) => a.requestId),
  text('acting_as', (a) => a.actingAs),
  uint64('bytes_out', (a) => count(a.bytesOut)),
  textMap('details', (a) => a.details),
]

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
    uid: textIn(row, 0),
    time: number(row, 1),
    source: textIn(row, 3),
    kind: member(row, 4, KINDS),
    class: member(row, 5, ACTIVITY_CLASSES),
    identity: {
      id: textIn(row, 6),
      kind: member(row, 7, IDENTITY_KINDS),
      provider: textIn(row, 8),
      tenant: textIn(row, 9),
      human: member(row, 10, HUMAN),
      humanReason: textIn(row, 11),
    },
    action: textIn(row, 12),
    service: textIn(row, 13),
    accessLevel: member(row, 14, ACCESS_LEVELS),
    effect: member(row, 15, EFFECTS_OR_NONE),
    resourceClass: textIn(row, 16),
    resources: textsIn(row, 17),
    outcome: member(row, 18, OUTCOMES),
    errorCode: textIn(row, 19),
    credential: textIn(row, 20),
    authMethod: textIn(row, 21),
    session: textIn(row, 22),
    issuance: issuanceOf(textIn(row, 23), textIn(row, 24), textIn(row, 25)),
    origin: {
      kind: member(row, 26, NETWORK_KINDS),
      address: textIn(row, 27),
      prefix: textIn(row, 28),
      country: textIn(row, 29),
      asn: number(row, 30),
      network: textIn(row, 31),
    },
    userAgent: textIn(row, 32),
    userAgentFamily: textIn(row, 33),
    region: textIn(row, 34),
    requestId: textIn(row, 35),
    actingAs: textIn(row, 36),
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

function textIn(row: readonly unknown[], column: number): string {
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

function textsIn(row: readonly unknown[], column: number): readonly string[] {
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

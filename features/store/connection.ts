import type { AttributionEntry } from '../../ingest/attribution.ts'
import type { CalibrationRow, IdentityHour, StoreBatch, StoredIdentity } from '../rows.ts'
import type { Scope } from '../scope.ts'
import { type Analyst, openAnalyst } from './analyst.ts'
import { openEngine, type Target } from './client.ts'
import type { TableName } from './columns.ts'
import {
  addressesElsewhere,
  attributions,
  loadEstate,
  type StoredAddress,
  type StoredEstate,
  type UsageElsewhere,
  unclosed,
  usageElsewhere,
} from './estate-reader.ts'
import { fence } from './fence.ts'
import { loadIdentities } from './load.ts'
import { migrate, setRetention } from './migrations.ts'
import {
  type Candidate,
  calibration,
  calibrationElsewhere,
  counts,
  cursor,
  horizon,
  knownUids,
  lastSeq,
  type ScoredUnit,
  scoredUnits,
  setCursor,
} from './reader.ts'
import { checkRebuild, type Difference, pendingRepairs, rebuild, repair } from './rebuild.ts'
import type { Session } from './session.ts'
import { StoreError } from './store-error.ts'
import { Writer } from './writer.ts'

/**
 * The store: everything durable, in ClickHouse. Embedded (`path`) or on a server (`url`): the same SQL and the same code.
 *
 * Four sessions, because a statement waits for the one before it on its own session only: the writer, two for the reads
 * the pipeline waits for, and one for the reads of people.
 */
export interface StoreOptions extends Target {
  /** `ReplicatedMergeTree` engines, for a server with Keeper and the macros `shard` and `replica`. */
  readonly replicated?: boolean | undefined
  /** Delete activities older (by event time) than this many months; absent: keep them. */
  readonly retentionMonths?: number | undefined
  readonly logger?: StoreLogger | undefined
}

export interface StoreLogger {
  info(fields: object, message: string): void
}

export interface Store {
  /** See `Writer.write`. */
  write(batch: StoreBatch, late?: readonly IdentityHour[], beforeEach?: () => void): Promise<void>
  /** Waits until the writes end that are under way now, whoever started them. */
  fence(): Promise<void>
  /** Recomputes closed hours that late activities joined, and marks them done. */
  repair(pairs: readonly IdentityHour[]): Promise<void>
  /** This and what follows is about the identities of the scope; all of them without one. */
  pendingRepairs(scope?: Scope): Promise<readonly IdentityHour[]>
  /** All asked for are in the map, those unknown with nothing in them. */
  load(identities: readonly string[]): Promise<Map<string, StoredIdentity>>
  knownUids(candidates: readonly Candidate[]): Promise<Set<string>>
  horizon(scope?: Scope): Promise<{ readonly maxTime: number; readonly activities: number }>
  /** What crosses identities, read once when a process starts. `day`: that of the scope's newest activity. */
  loadEstate(scope?: Scope, day?: number): Promise<StoredEstate>
  calibration(fromDay: number, toDay: number, scope?: Scope): Promise<readonly CalibrationRow[]>
  scoredUnits(fromDay: number, toDay: number, scope?: Scope): Promise<readonly ScoredUnit[]>
  /** What the other scopes counted, showed and called from. */
  calibrationElsewhere(fromDay: number, toDay: number, scope: Scope): Promise<readonly CalibrationRow[]>
  usageElsewhere(day: number, scope: Scope): Promise<UsageElsewhere>
  addressesElsewhere(day: number, scope: Scope): Promise<readonly StoredAddress[]>
  /** Identities whose hours a process left open when it died. */
  unclosed(
    hours: { readonly from: number; readonly before: number },
    scope?: Scope,
  ): Promise<readonly string[]>
  /** Tokens and who used them last, oldest first. */
  attributions(limit: number): Promise<readonly AttributionEntry[]>
  cursor(name: string): Promise<string | undefined>
  setCursor(name: string, value: string): Promise<void>
  counts(): Promise<Readonly<Record<TableName, number>>>
  /** Differences between derived tables and activities, at most `limit` (default 1000) rows of each table. */
  checkRebuild(options?: { readonly limit?: number }): Promise<readonly Difference[]>
  rebuild(): Promise<void>
  /** Reads for people, on a session of their own. */
  readonly analyst: Analyst
  /** Waits for the batches given so far, then closes. */
  close(): Promise<void>
}

/**
 * Opens the store and brings its schema up to date. Throws a `StoreError`: `store-locked` (another process has the
 * directory), `store-unwritable`, `store-unreachable`, `store-engine-missing`, `store-schema-newer`.
 */
export async function openStore(options: StoreOptions = {}): Promise<Store> {
  const engine = await openEngine(options, 4)
  const [writing, reading, beside, asking] = engine.sessions
  const close = async (): Promise<void> => {
    for (const session of engine.sessions) await session.close()
    await engine.release()
  }
  try {
    if (writing === undefined || reading === undefined || beside === undefined || asking === undefined) {
      throw new StoreError('store-unreachable', 'The engine opened too few sessions.')
    }
    await migrate(writing, { replicated: options.replicated ?? false })
    await setRetention(writing, options.retentionMonths)
    const seq = await lastSeq(writing)
    options.logger?.info(
      { path: options.url === undefined ? (options.path ?? 'data') : 'server', seq },
      'store opened',
    )
    return storeOf({ writing, reading, beside, asking, close }, seq, options.retentionMonths !== undefined)
  } catch (error) {
    await close()
    throw error
  }
}

interface Sessions {
  readonly writing: Session
  readonly reading: Session
  readonly beside: Session
  readonly asking: Session
  readonly close: () => Promise<void>
}

function storeOf({ writing, reading, beside, asking, close }: Sessions, seq: number, ages: boolean): Store {
  const writer = new Writer(writing, seq)
  /** First hour whose activities are all there: with a retention, the first one may have lost some. */
  const fromHour = async (): Promise<number> => {
    if (!ages) return 0
    const [row] = await asking.rows('SELECT intDiv(min(time), 3600000) FROM activity')
    return Number(row?.[0] ?? 0) + 1
  }
  return {
    write: (batch, late, beforeEach) => writer.write(batch, late, beforeEach),
    fence: () => fence(beside),
    repair: (pairs) => repair(writing, pairs),
    pendingRepairs: (scope) => pendingRepairs(reading, scope),
    load: async (identities) => {
      const loaded = await loadIdentities({ session: reading, beside }, identities)
      writer.advance(loaded.seq)
      return loaded.identities
    },
    knownUids: (candidates) => knownUids(reading, candidates),
    horizon: (scope) => horizon(reading, scope),
    loadEstate: (scope, day) => loadEstate(reading, scope, day),
    calibration: (fromDay, toDay, scope) => calibration(reading, fromDay, toDay, scope),
    calibrationElsewhere: (fromDay, toDay, scope) => calibrationElsewhere(reading, fromDay, toDay, scope),
    usageElsewhere: (day, scope) => usageElsewhere(reading, day, scope),
    addressesElsewhere: (day, scope) => addressesElsewhere(reading, day, scope),
    scoredUnits: (fromDay, toDay, scope) => scoredUnits(reading, fromDay, toDay, scope),
    unclosed: (hours, scope) => unclosed(reading, hours, scope),
    attributions: (limit) => attributions(reading, limit),
    cursor: (name) => cursor(reading, name),
    setCursor: (name, value) => setCursor(writing, name, value),
    counts: () => counts(asking),
    checkRebuild: async (options) =>
      checkRebuild(asking, { fromHour: await fromHour(), limit: options?.limit ?? 1000 }),
    rebuild: async () => rebuild(writing, { fromHour: await fromHour() }),
    analyst: openAnalyst(asking),
    close: async () => {
      await writer.idle()
      await close()
    },
  }
}

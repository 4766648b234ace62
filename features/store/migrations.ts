import { z } from 'zod'
import type { Session } from './session.ts'
import { integer, literal } from './sql.ts'
import { StoreError } from './store-error.ts'

/**
 * The schema, forward only: a migration is never edited once released; a change is a new one with the next number.
 * Statements are repeatable (`IF NOT EXISTS`), because DDL is not transactional: a process killed in the middle of a
 * migration runs it again from the start.
 */
export interface Migration {
  readonly version: number
  readonly name: string
  readonly statements: (engine: EngineNames) => readonly string[]
}

/** Spells a MergeTree engine, replicated or not: `engine('ReplacingMergeTree', 'seq')`. */
export type EngineNames = (name: string, parameters?: string) => string

/** `MergeTree` as it is. */
export const plain: EngineNames = (name, parameters = '') => `${name}(${parameters})`
// Path and replica from the server's own macros. Without `replicated_deduplication_window = 0` (see SETTINGS) a second
// identical block, such as the same cursor value twice, would be dropped as a retry.
export const replicated: EngineNames = (name, parameters = '') =>
  `Replicated${name}('/clickhouse/tables/{uuid}/{shard}', '{replica}'${parameters === '' ? '' : `, ${parameters}`})`

/**
 * Look-ups of many identities read a few granules here and there. limits.md §4: granules of 1024 rows are up to 1.9× faster
 * than 8192. Compressed blocks no larger than a granule's column save the decompression of seven neighbours: measured a
 * third off the time for 100 identities, for a tenth to a third more disk.
 */
const SETTINGS = (engine: EngineNames): string =>
  `SETTINGS index_granularity = 1024, min_compress_block_size = 8192${engine === replicated ? ', replicated_deduplication_window = 0' : ''}`

const LC = 'LowCardinality(String)'

export const MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    name: 'first tables',
    statements: (engine) => [
      // The month of an event after 2255 is that of 2255: DateTime64 ends in 2299, and one record with a mad time must
      // neither wrap into another century nor open a partition of its own each.
      `CREATE TABLE IF NOT EXISTS activity (
        uid String CODEC(ZSTD(1)), time Int64 CODEC(Delta, ZSTD(1)), seq UInt64 CODEC(Delta, ZSTD(1)),
        source ${LC}, kind ${LC}, class ${LC},
        identity String CODEC(ZSTD(1)), identity_kind ${LC}, provider ${LC}, tenant ${LC}, human ${LC}, human_reason ${LC},
        action ${LC}, service ${LC}, access_level ${LC}, effect ${LC}, resource_class ${LC},
        resources Array(String) CODEC(ZSTD(1)), outcome ${LC}, error_code ${LC},
        credential String CODEC(ZSTD(1)), auth_method ${LC}, session String CODEC(ZSTD(1)),
        issuance_workload String CODEC(ZSTD(1)), issuance_workload_uid String CODEC(ZSTD(1)), issuance_node String CODEC(ZSTD(1)),
        origin_kind ${LC}, address String CODEC(ZSTD(1)), prefix String CODEC(ZSTD(1)), country ${LC}, asn UInt32, network ${LC},
        user_agent ${LC}, user_agent_family ${LC}, region ${LC}, request_id String CODEC(ZSTD(1)),
        acting_as String CODEC(ZSTD(1)), bytes_out UInt64 CODEC(ZSTD(1)), details Map(String, String) CODEC(ZSTD(1))
      ) ENGINE = ${engine('ReplacingMergeTree', 'seq')}
      PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(least(time, 9000000000000), 'UTC'))
      ORDER BY (identity, time, uid) ${SETTINGS(engine)}`,
      `CREATE TABLE IF NOT EXISTS presence (
        identity String CODEC(ZSTD(1)), feature ${LC}, value String CODEC(ZSTD(1)), day UInt32 CODEC(Delta, ZSTD(1)),
        hours SimpleAggregateFunction(groupBitOr, UInt32)
      ) ENGINE = ${engine('AggregatingMergeTree')} ORDER BY (identity, feature, value, day) ${SETTINGS(engine)}`,
      `CREATE TABLE IF NOT EXISTS unit (
        identity String CODEC(ZSTD(1)), hour UInt32 CODEC(Delta, ZSTD(1)), source ${LC},
        events UInt64, denied UInt64, failed UInt64, actions UInt32, resources UInt32, bytes UInt64,
        learned_events Float64, learned_actions Float64, learned_resources Float64, learned_denied Float64,
        sessions UInt64, session_moves UInt64, learned UInt8,
        novel Array(${LC}), scores Map(${LC}, Float64), surprise Float64, stratum ${LC}, state ${LC}, version UInt64
      ) ENGINE = ${engine('ReplacingMergeTree', 'version')} ORDER BY (identity, hour) ${SETTINGS(engine)}`,
      `CREATE TABLE IF NOT EXISTS held (
        identity String, feature ${LC}, value String, hour UInt32, state ${LC}, reason String
      ) ENGINE = ${engine('ReplacingMergeTree', 'hour')} ORDER BY (identity, feature, value) ${SETTINGS(engine)}`,
      `CREATE TABLE IF NOT EXISTS alert (
        uid String, identity String, day UInt32, first_time Int64, last_time Int64, severity_id UInt8, version UInt64,
        body String CODEC(ZSTD(1))
      ) ENGINE = ${engine('ReplacingMergeTree', 'version')} ORDER BY uid ${SETTINGS(engine)}`,
      `CREATE TABLE IF NOT EXISTS dead_letter (
        uid String, seq UInt64, stage ${LC}, reason ${LC}, detail String, origin String, line UInt64, offset UInt64,
        record UInt64, source ${LC}, bytes String CODEC(ZSTD(1))
      ) ENGINE = ${engine('ReplacingMergeTree', 'seq')} ORDER BY uid ${SETTINGS(engine)}`,
      // Without a version column the row inserted last wins, which is what these three mean.
      `CREATE TABLE IF NOT EXISTS calibration (
        day UInt32, stratum ${LC}, detector ${LC}, bin Int32, units UInt64
      ) ENGINE = ${engine('ReplacingMergeTree')} ORDER BY (day, stratum, detector, bin) ${SETTINGS(engine)}`,
      `CREATE TABLE IF NOT EXISTS cursor (name String, value String)
      ENGINE = ${engine('ReplacingMergeTree')} ORDER BY name ${SETTINGS(engine)}`,
      `CREATE TABLE IF NOT EXISTS repair (identity String, hour UInt32, done UInt8)
      ENGINE = ${engine('ReplacingMergeTree')} ORDER BY (identity, hour) ${SETTINGS(engine)}`,
    ],
  },
]

/**
 * Brings the database up to the newest schema this program knows. Throws `store-schema-newer` when a later program has
 * been here: an old one would write rows the new one misreads.
 */
export async function migrate(
  session: Session,
  options: { readonly replicated: boolean; readonly migrations?: readonly Migration[] },
): Promise<void> {
  const engine = options.replicated ? replicated : plain
  const migrations = options.migrations ?? MIGRATIONS
  await session.run(
    `CREATE TABLE IF NOT EXISTS schema_migration (version UInt32, name String, applied DateTime('UTC') DEFAULT now('UTC'))
     ENGINE = ${engine('ReplacingMergeTree')} ORDER BY version ${SETTINGS(engine)}`,
  )
  const rows = await session.rows('SELECT DISTINCT version FROM schema_migration')
  const applied = new Set(rows.map((row) => Version.parse(row)[0]))
  const known = new Set(migrations.map((migration) => migration.version))
  const unknown = [...applied].filter((version) => !known.has(version))
  if (unknown.length > 0) {
    throw new StoreError(
      'store-schema-newer',
      `The store has schema version ${Math.max(...unknown)}; this program knows up to ` +
        `${Math.max(0, ...known)}. Run the newer program that wrote it.`,
    )
  }
  for (const migration of migrations) {
    if (applied.has(migration.version)) continue
    for (const statement of migration.statements(engine)) await session.run(statement)
    await session.run(
      `INSERT INTO schema_migration (version, name) SETTINGS async_insert = 0 ` +
        `VALUES (${integer(migration.version)}, ${literal(migration.name)})`,
    )
  }
}
const Version = z.tuple([z.number()])

/**
 * Sets or removes the age (by event time, in months) at which activities are deleted. Off unless asked for: with it on,
 * a replay of logs of 2017 would be deleted as it arrives.
 */
export async function setRetention(session: Session, months: number | undefined): Promise<void> {
  const [row] = await session.rows(
    "SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = 'activity'",
  )
  const now = String(row?.[0] ?? '')
  if (months === undefined) {
    if (/\bTTL\b/.test(now)) await session.run('ALTER TABLE activity REMOVE TTL')
    return
  }
  if (new RegExp(`\\bTTL\\b.*toIntervalMonth\\(${integer(months)}\\)`, 's').test(now)) return
  await session.run(
    `ALTER TABLE activity MODIFY TTL toDateTime(fromUnixTimestamp64Milli(least(time, 4000000000000), 'UTC')) ` +
      `+ INTERVAL ${integer(months)} MONTH DELETE`,
  )
}

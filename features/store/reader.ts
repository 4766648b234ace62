import { z } from 'zod'
import { FEATURE_IDS, type FeatureId } from '../feature.ts'
import type { CalibrationRow } from '../rows.ts'
import { TABLES, type TableName } from './columns.ts'
import { DERIVED_USES } from './facts.ts'
import type { Session } from './session.ts'
import { chunks, integer, literal } from './sql.ts'

/** What the pipeline asks when it starts, and now and then while it runs. */

export interface Candidate {
  readonly uid: string
  readonly identity: string
  readonly time: number
}

export interface Usage {
  readonly feature: FeatureId
  readonly value: string
  /** Distinct identities; exact up to some thousands. */
  readonly identities: number
}

export interface Attribution {
  readonly source: string
  readonly credential: string
  readonly session: string
  readonly identity: string
  /** Latest event time, epoch ms. */
  readonly time: number
}

const CANDIDATES_PER_QUERY = 10_000
/** Activities, counted back from the newest by order of writing, that may not have reached `presence` yet. */
const RECENT_ACTIVITIES = 1_000_000
const USES_RETURNED = 200_000

/** Which of these activities are stored. Looks them up by the whole primary key, so that only their granules are read. */
export async function knownUids(session: Session, candidates: readonly Candidate[]): Promise<Set<string>> {
  const known = new Set<string>()
  for (const some of chunks(candidates, CANDIDATES_PER_QUERY)) {
    const keys = some.map((c) => `(${literal(c.identity)},${integer(c.time)},${literal(c.uid)})`)
    const rows = await session.rows(
      `SELECT DISTINCT uid FROM activity WHERE (identity, time, uid) IN (${keys.join(',')})`,
    )
    for (const row of rows) known.add(String(row[0]))
  }
  return known
}

/** Latest event time (epoch ms, 0 when empty) and number of stored activities, unmerged duplicates included. */
export async function horizon(
  session: Session,
): Promise<{ readonly maxTime: number; readonly activities: number }> {
  const [row] = await session.rows('SELECT max(time), count() FROM activity')
  const [maxTime, activities] = Pair.parse(row)
  return { maxTime, activities }
}
const Pair = z.tuple([z.number(), z.number()])

/** Highest number given to an activity or dead letter, 0 when there is none. */
export async function lastSeq(session: Session): Promise<number> {
  const [row] = await session.rows(
    'SELECT greatest((SELECT max(seq) FROM activity), (SELECT max(seq) FROM dead_letter))',
  )
  return z.tuple([z.number()]).parse(row)[0]
}

/**
 * How many identities use each value: presence that is not held, and the activities written last, which may not have
 * reached presence. At most the 200 k most used values.
 */
export async function usage(session: Session): Promise<readonly Usage[]> {
  const rows = await session.rows(`
    SELECT feature, value, uniqCombined(identity) AS identities
    FROM (
      SELECT identity, feature, value FROM presence
      UNION ALL
      ${DERIVED_USES(`seq + ${RECENT_ACTIVITIES} > (SELECT max(seq) FROM activity)`)}
    )
    WHERE (identity, feature, value) NOT IN (SELECT identity, feature::String, value FROM held FINAL WHERE state = 'held')
    GROUP BY feature, value ORDER BY identities DESC, feature, value LIMIT ${USES_RETURNED}`)
  return rows.map((row) => {
    const [feature, value, identities] = UsageRow.parse(row)
    return { feature, value, identities }
  })
}
const UsageRow = z.tuple([z.enum(FEATURE_IDS), z.string(), z.number()])

/** What the estate remembers across identities, to begin with after a restart. */
export interface EstateTotals {
  /** Distinct identities by kind of log. */
  readonly identities: readonly { readonly kind: string; readonly identities: number }[]
  readonly sessions: number
  readonly sessionMoves: number
}

export async function estateTotals(session: Session): Promise<EstateTotals> {
  const kinds = await session.rows(
    'SELECT kind, uniqExact(identity) FROM activity GROUP BY kind ORDER BY kind',
  )
  const [sums] = await session.rows('SELECT sum(sessions), sum(session_moves) FROM unit FINAL')
  const [sessions, sessionMoves] = Pair.parse(sums)
  return {
    identities: kinds.map((row) => {
      const [kind, identities] = z.tuple([z.string(), z.number()]).parse(row)
      return { kind, identities }
    }),
    sessions,
    sessionMoves,
  }
}

/** Sums of calibration over whole days, both ends included; `day` is the last one. */
export async function calibration(
  session: Session,
  fromDay: number,
  toDay: number,
): Promise<readonly CalibrationRow[]> {
  const rows = await session.rows(`
    SELECT stratum, detector, bin, sum(units) FROM calibration FINAL
    WHERE day BETWEEN ${integer(fromDay)} AND ${integer(toDay)} GROUP BY stratum, detector, bin ORDER BY stratum, detector, bin`)
  return rows.map((row) => {
    const [stratum, detector, bin, units] = CalibrationSum.parse(row)
    return { day: toDay, stratum, detector, bin, units }
  })
}
const CalibrationSum = z.tuple([z.string(), z.string(), z.number(), z.number()])

/** A closed unit as calibration counts it. */
export interface ScoredUnit {
  readonly identity: string
  readonly hour: number
  readonly stratum: string
  readonly scores: Readonly<Record<string, number>>
  readonly surprise: number
}

/** Units of state `scored` of whole days, both ends included: the counts of days that were not yet written as calibration. */
export async function scoredUnits(
  session: Session,
  fromDay: number,
  toDay: number,
): Promise<readonly ScoredUnit[]> {
  const rows = await session.rows(`
    SELECT identity, hour, stratum, scores, surprise FROM unit FINAL
    WHERE intDiv(hour, 24) BETWEEN ${integer(fromDay)} AND ${integer(toDay)} AND state = 'scored' ORDER BY hour, identity`)
  return rows.map((row) => {
    const [identity, hour, stratum, scores, surprise] = ScoredRow.parse(row)
    return { identity, hour, stratum, scores, surprise }
  })
}
const ScoredRow = z.tuple([z.string(), z.number(), z.string(), z.record(z.string(), z.number()), z.number()])

export interface DayUnits {
  readonly day: number
  readonly units: number
  /** Of those, the ones that entered calibration. */
  readonly scored: number
}

/** Closed units of each day, both ends included; days without any are absent. */
export async function unitsPerDay(
  session: Session,
  fromDay: number,
  toDay: number,
): Promise<readonly DayUnits[]> {
  const rows = await session.rows(`
    SELECT intDiv(hour, 24) AS day, count(), countIf(state = 'scored') FROM unit FINAL
    WHERE hour BETWEEN ${integer(fromDay * 24)} AND ${integer(toDay * 24 + 23)} GROUP BY day ORDER BY day`)
  return rows.map((row) => {
    const [day, units, scored] = z.tuple([z.number(), z.number(), z.number()]).parse(row)
    return { day, units, scored }
  })
}

/** Latest identity of each credential and session of a source, most recently used first. */
export async function attributions(
  session: Session,
  limit: number,
  source = 'vault-audit',
): Promise<readonly Attribution[]> {
  const rows = await session.rows(`
    SELECT any(source), credential, session, argMax(identity, time), max(time) AS latest FROM activity
    WHERE source = ${literal(source)} AND (credential != '' OR session != '')
    GROUP BY credential, session ORDER BY latest DESC, credential, session LIMIT ${integer(limit)}`)
  return rows.map((row) => {
    const [from, credential, held, identity, time] = AttributionRow.parse(row)
    return { source: from, credential, session: held, identity, time }
  })
}
const AttributionRow = z.tuple([z.string(), z.string(), z.string(), z.string(), z.number()])

/** A named position of the pipeline (file offsets, calibration day); undefined when never set. */
export async function cursor(session: Session, name: string): Promise<string | undefined> {
  const [row] = await session.rows(`SELECT value FROM cursor FINAL WHERE name = ${literal(name)}`)
  return row === undefined ? undefined : z.tuple([z.string()]).parse(row)[0]
}

export async function setCursor(session: Session, name: string, value: string): Promise<void> {
  await session.insert('cursor', ['name', 'value'], JSON.stringify([name, value]))
}

/** Rows per table; duplicates that are not merged yet count. */
export async function counts(session: Session): Promise<Readonly<Record<TableName, number>>> {
  const parts = TABLES.map((table) => `(SELECT count() FROM ${table})`)
  const [row] = await session.rows(`SELECT ${parts.join(', ')}`)
  const found = z.array(z.number()).length(TABLES.length).parse(row)
  const result = {
    activity: 0,
    presence: 0,
    unit: 0,
    held: 0,
    alert: 0,
    dead_letter: 0,
    calibration: 0,
    cursor: 0,
    repair: 0,
  }
  TABLES.forEach((table, at) => {
    result[table] = found[at] ?? 0
  })
  return result
}

import { z } from 'zod'
import type { CalibrationRow } from '../rows.ts'
import { TABLES, type TableName } from './columns.ts'
import type { Session } from './session.ts'
import { chunks, integer, literal } from './sql.ts'

/** What the pipeline asks when it starts, and now and then while it runs. */

export interface Candidate {
  readonly uid: string
  readonly identity: string
  readonly time: number
}

const CANDIDATES_PER_QUERY = 10_000

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

/** Counts of calibration of whole days, both ends included. */
export async function calibration(
  session: Session,
  fromDay: number,
  toDay: number,
): Promise<readonly CalibrationRow[]> {
  const rows = await session.rows(`
    SELECT day, stratum, detector, bin, units FROM calibration FINAL
    WHERE day BETWEEN ${integer(fromDay)} AND ${integer(toDay)} ORDER BY day, stratum, detector, bin`)
  return rows.map((row) => {
    const [day, stratum, detector, bin, units] = CalibrationCount.parse(row)
    return { day, stratum, detector, bin, units }
  })
}
const CalibrationCount = z.tuple([z.number(), z.string(), z.string(), z.number(), z.number()])

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

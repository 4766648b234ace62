import { z } from 'zod'
import type { CalibrationRow } from '../rows.ts'
import { type Scope, scopeName } from '../scope.ts'
import { TABLES, type TableName } from './columns.ts'
import type { Session } from './session.ts'
import { chunks, integer, literal, owned } from './sql.ts'

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
  scope?: Scope,
): Promise<{ readonly maxTime: number; readonly activities: number }> {
  const [row] = await session.rows(`SELECT max(time), count() FROM activity WHERE ${owned(scope)}`)
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

/** Counts of calibration of whole days, both ends included, of the scope; with none, of all scopes together. */
export const calibration = (session: Session, fromDay: number, toDay: number, scope?: Scope) =>
  calibrationWhere(
    session,
    fromDay,
    toDay,
    scope === undefined ? '1' : `startsWith(stratum, ${literal(`${scopeName(scope)}|`)})`,
  )

/** The same of everything but the scope. */
export const calibrationElsewhere = (session: Session, fromDay: number, toDay: number, scope: Scope) =>
  calibrationWhere(session, fromDay, toDay, `NOT startsWith(stratum, ${literal(`${scopeName(scope)}|`)})`)

async function calibrationWhere(
  session: Session,
  fromDay: number,
  toDay: number,
  where: string,
): Promise<readonly CalibrationRow[]> {
  const rows = await session.rows(`
    SELECT day, substring(stratum, position(stratum, '|') + 1) AS own, detector, bin, sum(units) FROM calibration FINAL
    WHERE day BETWEEN ${integer(fromDay)} AND ${integer(toDay)} AND ${where}
    GROUP BY day, own, detector, bin ORDER BY day, own, detector, bin`)
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
  scope?: Scope,
): Promise<readonly ScoredUnit[]> {
  const rows = await session.rows(`
    SELECT identity, hour, stratum, scores, surprise FROM unit FINAL
    WHERE intDiv(hour, 24) BETWEEN ${integer(fromDay)} AND ${integer(toDay)} AND state = 'scored'
      AND ${owned(scope)} ORDER BY hour, identity`)
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

import { z } from 'zod'
import type { Activity } from '../../ingest/activity.ts'
import { FEATURE_IDS, type FeatureId } from '../feature.ts'
import type { AlertRow } from '../rows.ts'
import { ACTIVITY_COLUMNS, activityOf } from './activity-row.ts'
import { DERIVED_PRESENCE } from './facts.ts'
import { alertOf } from './load.ts'
import type { Session } from './session.ts'
import { integer, literal, tuple } from './sql.ts'

/** Reads for people: bounded by their limits, newest first, cursors instead of offsets. */
export interface Analyst {
  /** Alerts by first event time, newest first; the order does not change while one grows. */
  alerts(query: AlertQuery): Promise<Page<AlertRow>>
  alert(uid: string): Promise<AlertRow | undefined>
  identity(id: string): Promise<IdentitySummary | undefined>
  /** Identities by id, for lists and search: ids that contain `text`, any case. */
  identities(query: {
    readonly text?: string
    readonly after?: string
    readonly limit: number
  }): Promise<Page<IdentityLine>>
  /** Every value with presence, the identity's current day included. */
  baseline(id: string): Promise<readonly BaselineValue[]>
  /** Events by day of week (Monday first) and hour, UTC: 7 rows of 24, over closed hours. */
  hourGrid(id: string): Promise<readonly (readonly number[])[]>
  /** Events of each closed hour of the identity's last `days` days; hours without any are absent. */
  dailyHours(id: string, days: number): Promise<readonly { readonly hour: number; readonly events: number }[]>
  activitiesByUid(uids: readonly string[], identity: string): Promise<readonly Activity[]>
  /** Activities with `from` ≤ time < `to` (epoch ms), oldest first. */
  timeline(id: string, from: number, to: number, limit: number): Promise<readonly Activity[]>
  deadLetters(query: { readonly after?: string; readonly limit: number }): Promise<Page<StoredDeadLetter>>
}

export interface Page<T> {
  readonly items: readonly T[]
  /** Cursor of the next page; absent on the last one. */
  readonly next?: string
}

export interface AlertQuery {
  readonly after?: string
  readonly limit: number
  readonly identity?: string
  readonly minSeverity?: number
}

export interface IdentitySummary {
  readonly id: string
  readonly kind: string
  readonly provider: string
  readonly tenant: string
  readonly human: string
  readonly humanReason: string
  /** Event times, epoch ms. */
  readonly firstSeen: number
  readonly lastSeen: number
  readonly events: number
  readonly denied: number
  readonly failed: number
  readonly sources: readonly string[]
}

export interface IdentityLine {
  readonly id: string
  readonly firstHour: number
  readonly lastHour: number
  readonly units: number
  readonly events: number
}

export interface BaselineValue {
  readonly feature: FeatureId
  readonly value: string
  /** Distinct hours, not decayed. */
  readonly hours: number
  readonly firstDay: number
  readonly lastDay: number
  readonly days: number
  readonly held: 'held' | 'promoted' | ''
  readonly reason: string
}

export interface StoredDeadLetter {
  readonly uid: string
  readonly stage: string
  readonly reason: string
  readonly detail: string
  readonly origin: string
  readonly line: number
  readonly offset: number
  readonly index: number
  readonly source: string
  readonly bytes: Buffer
}

const MOST = 1000
const limited = (limit: number): number => Math.min(Math.max(1, Math.trunc(limit)), MOST)

export function openAnalyst(session: Session): Analyst {
  return {
    alerts: (query) => alerts(session, query),
    alert: (uid) => alert(session, uid),
    identity: (id) => identity(session, id),
    identities: (query) => identities(session, query),
    baseline: (id) => baseline(session, id),
    hourGrid: (id) => hourGrid(session, id),
    dailyHours: (id, days) => dailyHours(session, id, days),
    activitiesByUid: (uids, id) => activitiesByUid(session, uids, id),
    timeline: (id, from, to, limit) => timeline(session, id, from, to, limit),
    deadLetters: (query) => deadLetters(session, query),
  }
}

const ALERT_COLUMNS = 'uid, identity, day, first_time, last_time, severity_id, version, body'

async function alerts(session: Session, query: AlertQuery): Promise<Page<AlertRow>> {
  const limit = limited(query.limit)
  const conditions = [`severity >= ${integer(query.minSeverity ?? 0)}`]
  const at = query.after === undefined ? undefined : Position.safeParse(parsed(query.after))
  // A cursor that is not ours finds nothing, rather than everything from the start again.
  if (at?.success === false) return { items: [] }
  if (at !== undefined) conditions.push(`(first, uid) < (${integer(at.data[0])}, ${literal(at.data[1])})`)
  const where = query.identity === undefined ? '1' : `identity = ${literal(query.identity)}`
  // Small columns first, bodies of one page only.
  const rows = await session.rows(`
    SELECT ${ALERT_COLUMNS} FROM alert WHERE (uid, version) IN (
      SELECT uid, latest FROM (
        SELECT uid, max(version) AS latest, argMax(severity_id, version) AS severity, argMax(first_time, version) AS first
        FROM alert WHERE ${where} GROUP BY uid
      ) WHERE ${conditions.join(' AND ')} ORDER BY first DESC, uid DESC LIMIT ${limit + 1}
    ) ORDER BY first_time DESC, uid DESC LIMIT 1 BY uid`)
  return pageOf(rows.map(alertOf), limit, (row) => [row.firstTime, row.uid])
}
const Position = z.tuple([z.number(), z.string()])

async function alert(session: Session, uid: string): Promise<AlertRow | undefined> {
  const [row] = await session.rows(
    `SELECT ${ALERT_COLUMNS} FROM alert WHERE uid = ${literal(uid)} ORDER BY version DESC LIMIT 1`,
  )
  return row === undefined ? undefined : alertOf(row)
}

async function identity(session: Session, id: string): Promise<IdentitySummary | undefined> {
  const [row] = await session.rows(`
    SELECT identity, argMax(identity_kind, time), argMax(provider, time), argMax(tenant, time), argMax(human, time),
      argMax(human_reason, time), min(time), max(time), uniqExact(uid), uniqExactIf(uid, outcome = 'denied'),
      uniqExactIf(uid, outcome = 'failure'), arraySort(groupUniqArray(source))
    FROM activity WHERE identity = ${literal(id)} GROUP BY identity`)
  if (row === undefined) return undefined
  const found = SummaryRow.parse(row)
  return {
    id: found[0],
    kind: found[1],
    provider: found[2],
    tenant: found[3],
    human: found[4],
    humanReason: found[5],
    firstSeen: found[6],
    lastSeen: found[7],
    events: found[8],
    denied: found[9],
    failed: found[10],
    sources: found[11],
  }
}
const SummaryRow = z.tuple([
  z.string(),
  z.string(),
  z.string(),
  z.string(),
  z.string(),
  z.string(),
  z.number(),
  z.number(),
  z.number(),
  z.number(),
  z.number(),
  z.array(z.string()),
])

async function identities(
  session: Session,
  query: { readonly text?: string; readonly after?: string; readonly limit: number },
): Promise<Page<IdentityLine>> {
  const limit = limited(query.limit)
  const conditions = ['1']
  if (query.after !== undefined) conditions.push(`identity > ${literal(query.after)}`)
  if (query.text !== undefined)
    conditions.push(`positionCaseInsensitiveUTF8(identity, ${literal(query.text)}) > 0`)
  const rows = await session.rows(`
    SELECT identity, min(hour), max(hour), count(), sum(events) FROM unit FINAL WHERE ${conditions.join(' AND ')}
    GROUP BY identity ORDER BY identity LIMIT ${limit + 1}`)
  const lines = rows.map((row) => {
    const [id, firstHour, lastHour, units, events] = LineRow.parse(row)
    return { id, firstHour, lastHour, units, events }
  })
  const items = lines.slice(0, limit)
  const last = items.at(-1)
  return lines.length > limit && last !== undefined ? { items, next: last.id } : { items }
}
const LineRow = z.tuple([z.string(), z.number(), z.number(), z.number(), z.number()])

async function baseline(session: Session, id: string): Promise<readonly BaselineValue[]> {
  const rows = await session.rows(`
    SELECT p.feature, p.value, p.hours, p.first, p.last, p.days, h.state, h.reason
    FROM (
      SELECT feature, value, sum(bitCount(bits)) AS hours, min(day) AS first, max(day) AS last, count() AS days
      FROM (
        SELECT feature, value, day, groupBitOr(hours) AS bits FROM (
          SELECT feature::String AS feature, value, day, hours FROM presence WHERE identity = ${literal(id)}
          UNION ALL
          SELECT feature, value, day, hours FROM (${DERIVED_PRESENCE(
            `identity = ${literal(id)} AND time >= (SELECT intDiv(max(hour), 24) * 86400000 FROM unit WHERE identity = ${literal(id)})`,
          )})
        ) GROUP BY feature, value, day
      ) GROUP BY feature, value
    ) AS p
    LEFT JOIN (SELECT feature::String AS feature, value, state, reason FROM held FINAL WHERE identity = ${literal(id)}) AS h
    USING (feature, value)
    ORDER BY p.feature, p.hours DESC, p.value LIMIT 20000`)
  return rows.map((row) => {
    const [feature, value, hours, firstDay, lastDay, days, held, reason] = BaselineRow.parse(row)
    return { feature, value, hours, firstDay, lastDay, days, held, reason }
  })
}
const BaselineRow = z.tuple([
  z.enum(FEATURE_IDS),
  z.string(),
  z.number(),
  z.number(),
  z.number(),
  z.number(),
  z.enum(['held', 'promoted', '']),
  z.string(),
])

async function hourGrid(session: Session, id: string): Promise<readonly (readonly number[])[]> {
  // Day 0 was a Thursday: three days after a Monday.
  const rows = await session.rows(`
    SELECT (intDiv(hour, 24) + 3) % 7 AS weekday, hour % 24 AS clock, sum(events) FROM unit FINAL
    WHERE identity = ${literal(id)} GROUP BY weekday, clock`)
  const grid = Array.from({ length: 7 }, () => new Array<number>(24).fill(0))
  for (const row of rows) {
    const [weekday, clock, events] = GridRow.parse(row)
    const hours = grid[weekday]
    if (hours !== undefined) hours[clock] = events
  }
  return grid
}
const GridRow = z.tuple([z.number(), z.number(), z.number()])

async function dailyHours(
  session: Session,
  id: string,
  days: number,
): Promise<readonly { readonly hour: number; readonly events: number }[]> {
  const rows = await session.rows(`
    SELECT hour, events FROM unit FINAL WHERE identity = ${literal(id)}
    AND intDiv(hour, 24) + ${integer(Math.max(1, days))} > (SELECT intDiv(max(hour), 24) FROM unit WHERE identity = ${literal(id)})
    ORDER BY hour LIMIT 20000`)
  return rows.map((row) => {
    const [hour, events] = z.tuple([z.number(), z.number()]).parse(row)
    return { hour, events }
  })
}

async function activitiesByUid(
  session: Session,
  uids: readonly string[],
  id: string,
): Promise<readonly Activity[]> {
  const rows = await session.rows(
    `SELECT ${ACTIVITY_COLUMNS} FROM activity WHERE identity = ${literal(id)} AND uid IN ${tuple(uids.slice(0, MOST))}
     ORDER BY time, uid, seq LIMIT 1 BY uid`,
  )
  return rows.map((row) => activityOf(row).activity)
}

async function timeline(
  session: Session,
  id: string,
  from: number,
  to: number,
  limit: number,
): Promise<readonly Activity[]> {
  const rows = await session.rows(
    `SELECT ${ACTIVITY_COLUMNS} FROM activity WHERE identity = ${literal(id)} AND time >= ${integer(from)} AND time < ${integer(to)}
     ORDER BY time, uid, seq LIMIT 1 BY uid LIMIT ${limited(limit)}`,
  )
  return rows.map((row) => activityOf(row).activity)
}

async function deadLetters(
  session: Session,
  query: { readonly after?: string; readonly limit: number },
): Promise<Page<StoredDeadLetter>> {
  const limit = limited(query.limit)
  const at = query.after === undefined ? undefined : Position.safeParse(parsed(query.after))
  if (at?.success === false) return { items: [] }
  const rows = await session.rows(`
    SELECT uid, stage, reason, detail, origin, line, offset, record, source, bytes, seq FROM dead_letter FINAL
    WHERE ${at === undefined ? '1' : `(seq, uid) < (${integer(at.data[0])}, ${literal(at.data[1])})`}
    ORDER BY seq DESC, uid DESC LIMIT ${limit + 1}`)
  const found = rows.map((row) => {
    const [uid, stage, reason, detail, origin, line, offset, index, source, bytes, seq] =
      DeadLetterRow.parse(row)
    const letter = {
      uid,
      stage,
      reason,
      detail,
      origin,
      line,
      offset,
      index,
      source,
      bytes: Buffer.from(bytes, 'base64'),
    }
    return { letter, seq }
  })
  const page = pageOf(found, limit, (entry) => [entry.seq, entry.letter.uid])
  return { ...page, items: page.items.map((entry) => entry.letter) }
}
const DeadLetterRow = z.tuple([
  z.string(),
  z.string(),
  z.string(),
  z.string(),
  z.string(),
  z.number(),
  z.number(),
  z.number(),
  z.string(),
  z.string(),
  z.number(),
])

/** Cuts the extra row that told whether there is more, and names the last one kept. */
function pageOf<T>(rows: readonly T[], limit: number, key: (row: T) => readonly [number, string]): Page<T> {
  const items = rows.slice(0, limit)
  const last = items.at(-1)
  return rows.length > limit && last !== undefined
    ? { items, next: Buffer.from(JSON.stringify(key(last))).toString('base64url') }
    : { items }
}

function parsed(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
  } catch {
    return undefined
  }
}

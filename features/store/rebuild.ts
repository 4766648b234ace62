import { z } from 'zod'
import type { IdentityHour } from '../rows.ts'
import type { Scope } from '../scope.ts'
import { COLUMNS } from './columns.ts'
import { DERIVED_PRESENCE, DERIVED_UNITS } from './facts.ts'
import type { Session } from './session.ts'
import { chunks, integer, literal, owned, tuple } from './sql.ts'

/** Presence and the facts of units, made again from `activity`: compared (`check`), repaired (`rebuild`), or hour by hour. */

/** The two statements: everything `presence` and the facts of `unit` say, from activities alone. */
export const rebuildStatements = {
  presence: DERIVED_PRESENCE('1'),
  unit: DERIVED_UNITS('1'),
} as const

/** One place where a derived table does not say what the activities say. */
export interface Difference {
  readonly table: 'unit' | 'presence'
  readonly identity: string
  /** Hour number of a unit, day number of presence. */
  readonly at: number
  /** Column of a unit, `feature=value` of presence. */
  readonly field: string
  readonly stored: number
  readonly derived: number
}

const FACTS = ['events', 'denied', 'failed', 'actions', 'resources', 'bytes'] as const
const facts = (of: string): string => FACTS.map((fact) => `${of}.${fact}`).join(', ')
const PAIRS_PER_STATEMENT = 1000
const HOUR = 3_600_000
/** A feature that is full in memory (`VALUES_PER_FEATURE` of identity-state.ts) stops writing presence of new values. */
const VALUES_PER_FEATURE = 4096

/**
 * Differences of closed units and of days that were left, at most `limit` of each table. `fromHour`: first hour whose
 * activities are all still there (with a retention set, older ones are not).
 */
export async function checkRebuild(
  session: Session,
  options: { readonly fromHour: number; readonly limit: number },
): Promise<readonly Difference[]> {
  const found: Difference[] = []
  const units = await session.rows(
    `SELECT identity, hour, [${facts('u')}], [${facts('d')}] ${differingUnits(options.fromHour)} ` +
      `ORDER BY identity, hour LIMIT ${integer(options.limit)}`,
  )
  for (const row of units) {
    const [identity, at, stored, derived] = UnitPair.parse(row)
    FACTS.forEach((field, index) => {
      const pair = { stored: stored[index] ?? 0, derived: derived[index] ?? 0 }
      if (pair.stored !== pair.derived) found.push({ table: 'unit', identity, at, field, ...pair })
    })
  }
  const presence = await session.rows(
    `SELECT identity, feature, value, day, stored, derived FROM (${differingPresence(options.fromHour)})
     ORDER BY identity, feature, value, day LIMIT ${integer(options.limit)}`,
  )
  for (const row of presence) {
    const [identity, feature, value, at, stored, derived] = PresencePair.parse(row)
    found.push({ table: 'presence', identity, at, field: `${feature}=${value}`, stored, derived })
  }
  return found
}
const UnitPair = z.tuple([z.string(), z.number(), z.array(z.number()), z.array(z.number())])
const PresencePair = z.tuple([z.string(), z.string(), z.string(), z.number(), z.number(), z.number()])

/** Makes presence and unit facts what the activities say; scores and learnt counts stay. Safe to break off and repeat. */
export async function rebuild(session: Session, options: { readonly fromHour: number }): Promise<void> {
  await session.run(
    `INSERT INTO unit (${COLUMNS.unit.join(', ')}) SELECT ${replacedUnit()} ${differingUnits(options.fromHour)}`,
  )
  // Bits that no activity shows cannot be ORed away: their rows go, and what is true of them is inserted after.
  for (;;) {
    const rows = await session.rows(
      `SELECT identity, feature, value, day FROM (${differingPresence(options.fromHour)})
       WHERE bitAnd(stored, bitNot(derived)) != 0 LIMIT ${PAIRS_PER_STATEMENT}`,
    )
    if (rows.length === 0) break
    const keys = rows.map((row) => {
      const [identity, feature, value, day] = PresenceKey.parse(row)
      return `(${literal(identity)}, ${literal(feature)}, ${literal(value)}, ${integer(day)})`
    })
    await session.run(
      `ALTER TABLE presence DELETE WHERE (identity, feature, value, day) IN (${keys.join(', ')}) SETTINGS mutations_sync = 2`,
    )
    await session.run(
      `INSERT INTO presence (${COLUMNS.presence.join(', ')}) SELECT * FROM (${DERIVED_PRESENCE('1')})
       WHERE (identity, feature, value, day) IN (${keys.join(', ')})`,
    )
  }
  await session.run(
    `INSERT INTO presence (${COLUMNS.presence.join(', ')})
     SELECT identity, feature, value, day, derived FROM (${differingPresence(options.fromHour)})`,
  )
}
const PresenceKey = z.tuple([z.string(), z.string(), z.string(), z.number()])

/** `FROM … WHERE` of stored units `u` whose facts differ from the derived `d`. */
function differingUnits(fromHour: number): string {
  return `FROM (SELECT * FROM unit FINAL WHERE hour >= ${integer(fromHour)}) AS u
    LEFT JOIN (${DERIVED_UNITS(`time >= ${integer(fromHour * HOUR)}`)}) AS d USING (identity, hour)
    WHERE (${facts('u')}) != (${facts('d')})`
}

/** The columns of `unit` for row `u` with the facts of `d`; a version that wins even when the count went down. */
function replacedUnit(): string {
  const changed = new Map<string, string>(FACTS.map((fact) => [fact, `d.${fact}`]))
  changed.set('identity', 'identity').set('hour', 'hour')
  changed.set('version', 'greatest(u.version + 1, d.events)')
  return COLUMNS.unit.map((column) => changed.get(column) ?? `u.${column}`).join(', ')
}

/** Presence that differs: on days the identity has left, any bit; on its last day, which is not due yet, a bit too many. */
function differingPresence(fromHour: number): string {
  const fromDay = Math.ceil(fromHour / 24)
  return `SELECT identity, feature, value, day, stored, derived
    FROM (
      SELECT identity, feature, value, day, groupBitOrIf(hours, origin = 0) AS stored, groupBitOrIf(hours, origin = 1) AS derived
      FROM (
        SELECT identity, feature::String AS feature, value, day, hours::UInt32 AS hours, 0 AS origin FROM presence
        WHERE day >= ${integer(fromDay)}
        UNION ALL
        SELECT identity, feature, value, day, hours, 1 AS origin
        FROM (${DERIVED_PRESENCE(`time >= ${integer(fromDay * 24 * HOUR)}`)})
      ) GROUP BY identity, feature, value, day
    ) AS p
    LEFT JOIN (SELECT identity, intDiv(max(hour), 24) AS last_day FROM unit GROUP BY identity) AS l USING (identity)
    WHERE if(day < last_day, stored != derived, bitAnd(stored, bitNot(derived)) != 0)
    AND NOT (stored = 0 AND (identity, feature) IN (SELECT identity, feature::String FROM presence
      GROUP BY identity, feature HAVING uniqExact(value) >= ${VALUES_PER_FEATURE}))`
}

/**
 * Recomputes closed hours that late activities joined: facts of the unit (its scores and learnt counts stay; an hour that
 * had no unit gets one that taught nothing) and the presence bits. Then marks the pairs as done.
 */
export async function repair(session: Session, pairs: readonly IdentityHour[]): Promise<void> {
  for (const some of chunks(pairs, PAIRS_PER_STATEMENT)) {
    const where = wherePairs(some)
    await session.run(
      `INSERT INTO unit (${COLUMNS.unit.join(', ')})
       SELECT ${repairedUnit()} FROM (${DERIVED_UNITS(where)}) AS d
       LEFT JOIN (SELECT * FROM unit FINAL WHERE identity IN ${tuple([...new Set(some.map((p) => p.identity))])}) AS u
       USING (identity, hour)
       WHERE u.version = 0 OR (${facts('u')}) != (${facts('d')})`,
    )
    await session.run(`INSERT INTO presence (${COLUMNS.presence.join(', ')}) ${DERIVED_PRESENCE(where)}`)
    await session.insert(
      'repair',
      COLUMNS.repair,
      some.map((pair) => JSON.stringify([pair.identity, pair.hour, 1])).join('\n'),
    )
  }
}

function repairedUnit(): string {
  const changed = new Map<string, string>(FACTS.map((fact) => [fact, `d.${fact}`]))
  changed.set('identity', 'identity').set('hour', 'hour')
  changed.set('source', 'if(u.version = 0, d.source, u.source)')
  changed.set('state', "if(u.version = 0, 'learning', u.state)")
  changed.set('version', 'greatest(u.version + 1, d.events)')
  return COLUMNS.unit.map((column) => changed.get(column) ?? `u.${column}`).join(', ')
}

function wherePairs(pairs: readonly IdentityHour[]): string {
  let first = Number.POSITIVE_INFINITY
  let last = 0
  for (const { hour } of pairs) {
    first = Math.min(first, hour)
    last = Math.max(last, hour)
  }
  const keys = pairs.map((pair) => `(${literal(pair.identity)}, ${integer(pair.hour)})`)
  return (
    `identity IN ${tuple([...new Set(pairs.map((pair) => pair.identity))])} AND time >= ${integer(first * HOUR)} ` +
    `AND time < ${integer((last + 1) * HOUR)} AND (identity, intDiv(time, ${HOUR})) IN (${keys.join(', ')})`
  )
}

/** Hours whose repair was announced and never finished: a crash came between. */
export async function pendingRepairs(session: Session, scope?: Scope): Promise<readonly IdentityHour[]> {
  const rows = await session.rows(
    `SELECT identity, hour FROM repair FINAL WHERE done = 0 AND ${owned(scope)} ORDER BY identity, hour`,
  )
  return rows.map((row) => {
    const [identity, hour] = z.tuple([z.string(), z.number()]).parse(row)
    return { identity, hour }
  })
}

import type { Activity } from '../../ingest/activity.ts'
import {
  dayOf,
  FEATURE_IDS,
  type FeatureId,
  HALF_LIFE_DAYS,
  SLOT_HALF_LIFE_WEEKS,
  weekOf,
} from '../feature.ts'
import type {
  AlertRow,
  HeldRow,
  SettledUnit,
  StoredCredential,
  StoredIdentity,
  StoredMoments,
  StoredSlot,
  StoredValue,
} from '../rows.ts'
import { ACTIVITY_COLUMNS, activityOf } from './activity-row.ts'
import { DERIVED_PRESENCE } from './facts.ts'
import { listAt, numberAt, type Row, textAt } from './row-guard.ts'
import type { Session } from './session.ts'
import { array, chunks, integer, tuple } from './sql.ts'

/**
 * Baselines of identities, as a query: sums over closed hours, plus the activities of the open ones. Every count is over
 * hours ≤ the identity's last closed hour, so that replaying `open` neither loses nor doubles anything.
 */

const IDENTITIES_PER_QUERY = 1000
const HOUR = 3_600_000
const CREDENTIAL_HOURS = 48
const CREDENTIALS = 64
/** How far the baseline stays behind the last closed hour; see `StoredIdentity`. */
const SETTLING_HOURS = 2
const USES = 16
const SURPRISE_HOURS = 168
const ALERT_DAYS = 7

export interface Loaded {
  readonly identities: Map<string, StoredIdentity>
  /** Highest number of an activity that came back, so that the writer goes on after it. */
  readonly seq: number
}

/**
 * Everything asked for is in the map: an unknown identity has no closed hour and no values. Two sessions, because half of
 * the questions can be answered beside the others.
 */
export async function loadIdentities(
  { session, beside }: { readonly session: Session; readonly beside: Session },
  identities: readonly string[],
): Promise<Loaded> {
  const all = new Map<string, StoredIdentity>()
  let seq = 0
  for (const some of chunks([...new Set(identities)], IDENTITIES_PER_QUERY)) {
    const drafts = await closedHours(session, some)
    await addUnits(session, drafts)
    await addSettled(session, drafts)
    const groups = [...byAge(drafts)]
    const values = async (): Promise<void> => {
      for (const group of groups) await addValues(session, group)
      await addHeld(session, drafts)
    }
    const activities = async (): Promise<void> => {
      for (const group of groups) {
        await addCredentials(beside, group)
        seq = Math.max(seq, await addOpen(beside, group))
      }
      await addAlerts(beside, drafts)
    }
    await Promise.all([values(), activities()])
    for (const draft of drafts.values()) all.set(draft.identity, finished(draft))
  }
  return { identities: all, seq }
}

interface Draft {
  readonly identity: string
  firstHour: number
  lastClosedHour: number
  closedUnits: number
  novelUnits: Partial<Record<FeatureId, number>>
  readonly values: Map<string, StoredValue>
  slots: StoredSlot[]
  moments: StoredMoments
  credentials: StoredCredential[]
  surprises: { readonly hour: number; readonly surprise: number }[]
  open: Activity[]
  settled: SettledUnit[]
  alerts: AlertRow[]
}
type Drafts = ReadonlyMap<string, Draft>

function finished(draft: Draft): StoredIdentity {
  return { ...draft, values: [...draft.values.values()] }
}

async function closedHours(session: Session, identities: readonly string[]): Promise<Drafts> {
  const drafts = new Map<string, Draft>()
  for (const identity of identities) {
    drafts.set(identity, {
      identity,
      firstHour: -1,
      lastClosedHour: -1,
      closedUnits: 0,
      novelUnits: {},
      values: new Map(),
      slots: [],
      moments: NO_MOMENTS,
      credentials: [],
      surprises: [],
      open: [],
      settled: [],
      alerts: [],
    })
  }
  const rows = await session.rows(
    `SELECT identity, min(hour), max(hour) FROM unit WHERE identity IN ${tuple(identities)} GROUP BY identity`,
  )
  for (const row of rows) {
    const draft = drafts.get(textAt(row, 0))
    if (draft === undefined) continue
    const first = numberAt(row, 1)
    const cut = numberAt(row, 2) - SETTLING_HOURS
    if (first > cut) continue
    draft.firstHour = first
    draft.lastClosedHour = cut
  }
  return drafts
}

const NO_MOMENTS: StoredMoments = {
  lastDay: 0,
  units: 0,
  events: 0,
  eventsSquared: 0,
  actions: 0,
  actionsSquared: 0,
  resources: 0,
  resourcesSquared: 0,
  denied: 0,
  sessions: 0,
  sessionMoves: 0,
  hours: new Array<number>(24).fill(0),
}

/** SQL for the last closed hour of the row's identity, −1 when none. */
function lastHour(drafts: Drafts): string {
  const known = [...drafts.values()]
  const hours = known.map((draft) => integer(draft.lastClosedHour)).join(', ')
  return `transform(identity, ${array(known.map((draft) => draft.identity))}, [${hours}]::Array(Int64), -1::Int64)`
}

function closed(drafts: Drafts): Drafts {
  return new Map([...drafts].filter(([, draft]) => draft.lastClosedHour >= 0))
}

/** Counts, moments, slots and surprises, in one pass over the units. (`LIMIT 1 BY` took a third of the time of `FINAL`.) */
async function addUnits(session: Session, drafts: Drafts): Promise<void> {
  const known = closed(drafts)
  if (known.size === 0) return
  const rows = await session.rows(`
    SELECT identity, sum(units), sumMap(n.1, n.2),
      sum(s_units), sum(s_events), sum(s_events2), sum(s_actions), sum(s_actions2), sum(s_resources), sum(s_resources2),
      sum(s_denied), sum(s_sessions), sum(s_moves), groupArray((slot, week, slot_count, s_units)), groupArrayArray(surprising)
    FROM (
      SELECT identity, hour % 168 AS slot, count() AS units,
        sumMapIf(novel::Array(String), arrayWithConstant(length(novel), 1::UInt64), notEmpty(novel)) AS n,
        sum(w) AS s_units, sum(w * learned_events) AS s_events, sum(w * learned_events * learned_events) AS s_events2,
        sum(w * learned_actions) AS s_actions, sum(w * learned_actions * learned_actions) AS s_actions2,
        sum(w * learned_resources) AS s_resources, sum(w * learned_resources * learned_resources) AS s_resources2,
        sum(w * learned_denied) AS s_denied, sum(decay * sessions) AS s_sessions, sum(decay * session_moves) AS s_moves,
        maxIf(intDiv(hour, 168)::Int64, learned = 1) AS week,
        sumIf(learned_events * exp2((intDiv(hour, 168) - intDiv(last, 168)) / ${SLOT_HALF_LIFE_WEEKS}), learned = 1) AS slot_count,
        groupArrayIf((hour, surprise), surprise > 0 AND hour > last - ${SURPRISE_HOURS}) AS surprising,
        ${lastHour(known)} AS last
      FROM (
        SELECT *, ${lastHour(known)} AS last, exp2((intDiv(hour, 24) - intDiv(last, 24)) / ${HALF_LIFE_DAYS}) AS decay,
          if(learned = 1, decay, 0) AS w
        FROM (
          SELECT * FROM unit WHERE identity IN ${tuple([...known.keys()])} AND hour <= ${lastHour(known)}
          ORDER BY identity, hour, version DESC LIMIT 1 BY identity, hour
        )
      ) GROUP BY identity, slot, last
    ) GROUP BY identity`)
  for (const row of rows) {
    const draft = drafts.get(textAt(row, 0))
    if (draft !== undefined) readUnits(draft, row)
  }
}

function readUnits(draft: Draft, row: Row): void {
  draft.closedUnits = numberAt(row, 1)
  const novel = listAt(row, 2)
  const names = listAt(novel, 0)
  for (let at = 0; at < names.length; at++) {
    const id = FEATURE_BY_NAME.get(textAt(names, at))
    if (id !== undefined) draft.novelUnits[id] = numberAt(listAt(novel, 1), at)
  }
  const hours = new Array<number>(24).fill(0)
  const lastWeek = weekOf(draft.lastClosedHour)
  for (const entry of listAt(row, 13)) {
    if (!Array.isArray(entry)) continue
    const slot = numberAt(entry, 0)
    const week = numberAt(entry, 1)
    const units = numberAt(entry, 3)
    if (units <= 0) continue
    hours[slot % 24] = (hours[slot % 24] ?? 0) + units
    draft.slots.push({
      slot,
      lastWeek: week,
      count: asOf(numberAt(entry, 2), (lastWeek - week) / SLOT_HALF_LIFE_WEEKS),
    })
  }
  draft.moments = {
    lastDay: dayOf(draft.lastClosedHour),
    units: numberAt(row, 3),
    events: numberAt(row, 4),
    eventsSquared: numberAt(row, 5),
    actions: numberAt(row, 6),
    actionsSquared: numberAt(row, 7),
    resources: numberAt(row, 8),
    resourcesSquared: numberAt(row, 9),
    denied: numberAt(row, 10),
    sessions: numberAt(row, 11),
    sessionMoves: numberAt(row, 12),
    hours,
  }
  for (const entry of listAt(row, 14)) {
    if (Array.isArray(entry)) draft.surprises.push({ hour: numberAt(entry, 0), surprise: numberAt(entry, 1) })
  }
  draft.surprises.sort((a, b) => a.hour - b.hour)
}

const FEATURE_BY_NAME: ReadonlyMap<string, FeatureId> = new Map(FEATURE_IDS.map((id) => [id, id]))

/**
 * A decayed sum moved back from the reference of the query to `halfLives` earlier. Beyond 900 half-lives (one record dated
 * centuries ahead) the sum has underflowed; then the value is as good as forgotten.
 */
function asOf(sum: number, halfLives: number): number {
  return halfLives > 900 ? 0 : sum * 2 ** halfLives
}

/**
 * Identities whose last closed hours lie near each other, newest first: the scan of activities begins at the oldest of a
 * group, so one identity that slept for a year must not make the busy ones re-read theirs.
 */
function* byAge(drafts: Drafts): Generator<Drafts> {
  const sorted = [...drafts.values()].sort((a, b) => b.lastClosedHour - a.lastClosedHour)
  let group = new Map<string, Draft>()
  let newest = Number.POSITIVE_INFINITY
  let span = 72
  for (const draft of sorted) {
    if (group.size > 0 && draft.lastClosedHour < newest - span) {
      yield group
      group = new Map()
      span *= 8
    }
    if (group.size === 0) newest = draft.lastClosedHour
    group.set(draft.identity, draft)
  }
  if (group.size > 0) yield group
}

/** `identity IN … AND time >= …` with the first hour (of epoch) anyone in the group needs. */
function since(drafts: Drafts, hoursBack: (lastClosedHour: number) => number): string {
  let first = Number.POSITIVE_INFINITY
  for (const draft of drafts.values()) first = Math.min(first, hoursBack(draft.lastClosedHour))
  return `identity IN ${tuple([...drafts.keys()])} AND time >= ${integer(Math.max(0, first) * HOUR)}`
}

/**
 * Presence up to the last closed hour. The bits of that hour's own day come from the activities as well: presence of a day
 * is written only when the identity leaves it, and a crash may have come first. OR makes the overlap harmless.
 */
async function addValues(session: Session, drafts: Drafts): Promise<void> {
  const known = closed(drafts)
  if (known.size === 0) return
  const last = lastHour(known)
  const rows = await session.rows(`
    SELECT identity, feature, value, sum(bitCount(bits) * exp2((day - last_day) / ${HALF_LIFE_DAYS})), min(day), argMin(bits, day),
      max(day), argMax(bits, day), count()
    FROM (
      SELECT identity, feature, value, day, groupBitOr(hours) AS all_bits, ${last} AS last, intDiv(last, 24) AS last_day,
        if(day = last_day, bitAnd(all_bits, bitShiftLeft(2::UInt64, last % 24) - 1), all_bits)::UInt32 AS bits
      FROM (
        SELECT identity, feature, value, day, hours FROM presence
        WHERE identity IN ${tuple([...known.keys()])} AND day <= intDiv(${last}, 24)
        UNION ALL
        ${DERIVED_PRESENCE(
          `${since(known, (hour) => hour - (hour % 24))} AND intDiv(time, ${24 * HOUR}) = intDiv(${last}, 24)`,
        )}
      )
      GROUP BY identity, feature, value, day HAVING bits != 0
    ) GROUP BY identity, feature, value`)
  for (const row of rows) {
    const draft = drafts.get(textAt(row, 0))
    const feature = FEATURE_BY_NAME.get(textAt(row, 1))
    if (draft === undefined || feature === undefined) continue
    const value = textAt(row, 2)
    const firstDay = numberAt(row, 4)
    const lastDay = numberAt(row, 6)
    const lastDayHours = numberAt(row, 7)
    const firstBits = numberAt(row, 5)
    draft.values.set(`${feature}\0${value}`, {
      feature,
      value,
      presence: asOf(numberAt(row, 3), (dayOf(draft.lastClosedHour) - lastDay) / HALF_LIFE_DAYS),
      firstHour: firstDay * 24 + (31 - Math.clz32(firstBits & -firstBits)),
      lastHour: lastDay * 24 + (31 - Math.clz32(lastDayHours)),
      days: numberAt(row, 8),
      lastDayHours,
      held: '',
    })
  }
}

async function addHeld(session: Session, drafts: Drafts): Promise<void> {
  const rows = await session.rows(
    `SELECT identity, feature, value, state, hour, reason FROM held FINAL WHERE identity IN ${tuple([...drafts.keys()])}`,
  )
  for (const row of rows) {
    const draft = drafts.get(textAt(row, 0))
    const feature = FEATURE_BY_NAME.get(textAt(row, 1))
    const state = textAt(row, 3)
    if (draft === undefined || feature === undefined || (state !== 'held' && state !== 'promoted')) continue
    const value = textAt(row, 2)
    const hour = numberAt(row, 4)
    const key = `${feature}\0${value}`
    const known = draft.values.get(key)
    const later = hour > draft.lastClosedHour
    // Decided in an hour that will be replayed: before it, a promoted value was held, and a held one unseen.
    if (known !== undefined && !(later && state === 'held'))
      draft.values.set(key, { ...known, held: later ? 'held' : state })
    const at = draft.settled.findIndex((unit) => unit.hour === hour)
    const unit = draft.settled[at]
    if (unit === undefined) continue
    const decision: HeldRow = {
      identity: draft.identity,
      feature,
      value,
      hour,
      state,
      reason: textAt(row, 5),
    }
    draft.settled[at] = { ...unit, held: [...unit.held, decision] }
  }
}

/** The closed units after the cut, with what was learnt of them. */
async function addSettled(session: Session, drafts: Drafts): Promise<void> {
  const rows = await session.rows(`
    SELECT identity, hour, learned_events, learned_actions, learned_resources, learned_denied, learned, surprise FROM unit
    WHERE identity IN ${tuple([...drafts.keys()])} AND hour > ${lastHour(drafts)}
    ORDER BY identity, hour, version DESC LIMIT 1 BY identity, hour`)
  for (const row of rows)
    drafts.get(textAt(row, 0))?.settled.push({
      hour: numberAt(row, 1),
      learnedEvents: numberAt(row, 2),
      learnedActions: numberAt(row, 3),
      learnedResources: numberAt(row, 4),
      learnedDenied: numberAt(row, 5),
      learned: numberAt(row, 6) === 1,
      surprise: numberAt(row, 7),
      held: [],
    })
}

async function addCredentials(session: Session, drafts: Drafts): Promise<void> {
  const known = closed(drafts)
  if (known.size === 0) return
  const rows = await session.rows(`
    SELECT identity, credential, groupArray((address, network, first, last_use))
    FROM (
      SELECT identity, credential, address, argMin(network, time) AS network, min(time) AS first, max(time) AS last_use
      FROM (SELECT identity, time, credential, address, network, (${lastHour(known)} + 1) * ${HOUR} AS end FROM activity
        WHERE ${since(known, (hour) => hour + 1 - CREDENTIAL_HOURS)} AND credential != '' AND address != ''
        AND time < end AND time >= end - ${CREDENTIAL_HOURS * HOUR})
      GROUP BY identity, credential, address
      ORDER BY first LIMIT ${USES} BY identity, credential
    ) GROUP BY identity, credential ORDER BY max(last_use) DESC LIMIT ${CREDENTIALS} BY identity`)
  for (const row of rows) {
    const uses = listAt(row, 2).map((use) => {
      const entry = Array.isArray(use) ? use : []
      return {
        address: textAt(entry, 0),
        network: textAt(entry, 1),
        first: numberAt(entry, 2),
        last: numberAt(entry, 3),
      }
    })
    uses.sort((a, b) => a.first - b.first)
    drafts.get(textAt(row, 0))?.credentials.push({ credential: textAt(row, 1), uses })
  }
}

/** Activities after the last closed hour; returns the highest number among them. */
async function addOpen(session: Session, drafts: Drafts): Promise<number> {
  const rows = await session.rows(
    `SELECT ${ACTIVITY_COLUMNS} FROM activity
     WHERE ${since(drafts, (hour) => hour + 1)} AND intDiv(time, ${HOUR}) > ${lastHour(drafts)} ORDER BY seq`,
  )
  let seq = 0
  const seen = new Set<string>()
  for (const row of rows) {
    const stored = activityOf(row)
    seq = stored.seq
    const { uid, identity } = stored.activity
    // A replay after a crash may have written an activity twice, not yet merged: its first place counts.
    if (seen.has(uid)) continue
    seen.add(uid)
    drafts.get(identity.id)?.open.push(stored.activity)
  }
  return seq
}

async function addAlerts(session: Session, drafts: Drafts): Promise<void> {
  let first = Number.POSITIVE_INFINITY
  for (const draft of drafts.values()) first = Math.min(first, dayOf(draft.lastClosedHour) - ALERT_DAYS)
  const filter = `identity IN ${tuple([...drafts.keys()])} AND day >= ${integer(Math.max(0, first))}`
  const rows = await session.rows(`
    SELECT uid, identity, day, first_time, last_time, severity_id, version, body FROM alert
    WHERE (uid, version) IN (SELECT uid, max(version) FROM alert WHERE ${filter} GROUP BY uid)
    ORDER BY first_time, uid LIMIT 1 BY uid`)
  for (const row of rows) {
    const draft = drafts.get(textAt(row, 1))
    const day = numberAt(row, 2)
    if (draft === undefined || day < dayOf(draft.lastClosedHour) - ALERT_DAYS) continue
    draft.alerts.push(alertOf(row))
  }
}

/** A row of `uid, identity, day, first_time, last_time, severity_id, version, body`. */
export function alertOf(row: Row): AlertRow {
  return {
    uid: textAt(row, 0),
    identity: textAt(row, 1),
    day: numberAt(row, 2),
    firstTime: numberAt(row, 3),
    lastTime: numberAt(row, 4),
    severityId: numberAt(row, 5),
    version: numberAt(row, 6),
    body: textAt(row, 7),
  }
}

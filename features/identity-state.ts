import type { Activity, Identity, Kind } from '../ingest/activity.ts'
import {
  DISTINCT_CAP,
  dayOf,
  FEATURES,
  type FeatureId,
  HALF_LIFE_DAYS,
  hourOf,
  SLOT_HALF_LIFE_WEEKS,
  slotOf,
  weekOf,
} from './feature.ts'
import type { HeldRow, PresenceRow, StoredIdentity, UnitRow } from './rows.ts'

/**
 * What one identity normally does, in memory: a fold over its activities that ClickHouse can repeat at any time
 * (`StoredIdentity`). Every number is a sum with exponential decay over closed hours, so that memory and SQL agree and
 * the order of events inside an hour does not matter.
 *
 * An hour is **open** until an activity of the same identity arrives two hours after its end (its own event time, so a
 * source that lags as a whole loses nothing), then it is **closed**: learnt, and written once.
 */
export interface KnownValue {
  readonly feature: FeatureId
  readonly value: string
  /** Decayed number of closed hours with this value, as of day `day`. */
  presence: number
  day: number
  firstHour: number
  lastHour: number
  /** Distinct days, the open one included. */
  days: number
  /** Last day seen, and its hours as a bit mask: the next presence row. */
  lastDay: number
  hours: number
  held: '' | 'held' | 'promoted'
}

export interface FeatureState {
  readonly id: FeatureId
  readonly values: Map<string, KnownValue>
  /** Σ presence of values that are learnt, as of day `day`. */
  total: number
  day: number
  /** Closed units that showed a value never seen before. */
  novelUnits: number
}

/** One identity in one clock hour, not yet learnt. */
export interface OpenUnit {
  readonly hour: number
  readonly source: string
  events: number
  denied: number
  failed: number
  bytes: number
  sessions: number
  sessionMoves: number
  readonly seen: Set<KnownValue>
  /** Values of the previous activity by feature: most activities repeat them, and then nothing needs looking up. */
  readonly last: string[]
  readonly actions: Set<string>
  readonly resources: Set<string>
  /** Bit i: feature i showed a value never seen before. */
  novel: number
}

export interface Moments {
  lastDay: number
  units: number
  events: number
  eventsSquared: number
  actions: number
  actionsSquared: number
  resources: number
  resourcesSquared: number
  denied: number
  sessions: number
  sessionMoves: number
  readonly hours: Float64Array
}

export interface CredentialUse {
  readonly address: string
  readonly network: string
  readonly first: number
  last: number
}

/** What the gate and the scorer decided about a unit that is being closed. */
export interface Closing {
  readonly learned: boolean
  readonly learnedEvents: number
  readonly learnedActions: number
  readonly learnedResources: number
  readonly learnedDenied: number
  readonly scores: Readonly<Record<string, number>>
  readonly surprise: number
  readonly stratum: string
  readonly state: UnitRow['state']
  /** Why a value must not be learnt, or '' to learn it; asked once for each value of the unit that is new or held. */
  readonly gate: (value: KnownValue) => GateDecision
}
export type GateDecision =
  | { readonly to: 'learn' }
  | { readonly to: 'hold' | 'promote'; readonly reason: string }

/** What an activity brought, valid until the next call of `observe`. */
export interface Observation {
  /** null when the hour is already closed: a late activity, whose hour is recomputed in the store. */
  unit: OpenUnit | null
  /** Values that this unit had not shown before. */
  readonly fresh: KnownValue[]
  /** Whether the unit began with this activity. */
  opened: boolean
}

const WATERMARK_HOURS = 2
const VALUES_PER_FEATURE = 4096
const CREDENTIALS_KEPT = 64
const USES_KEPT = 16
const CREDENTIAL_MEMORY_MS = 48 * 3_600_000

export class IdentityState {
  readonly id: string
  identity: Identity
  readonly kind: Kind
  readonly features: readonly FeatureState[]
  open: OpenUnit[] = []
  firstHour = -1
  lastClosedHour = -1
  closedUnits = 0
  /** Decayed learnt events by hour-of-week slot, each as of the week in `slotWeeks`; allocated by the first learnt hour. */
  slots: Float64Array | null = null
  slotWeeks: Int32Array | null = null
  readonly moments: Moments
  readonly credentials = new Map<string, CredentialUse[]>()
  surprises: { readonly hour: number; readonly surprise: number }[] = []
  /** Presence rows of days the identity has left, waiting for the writer. */
  pendingPresence: PresenceRow[] = []
  /** Latest day seen. */
  #day = -1

  constructor(identity: Identity, kind: Kind) {
    this.id = identity.id
    this.identity = identity
    this.kind = kind
    this.features = FEATURES.map((f) => ({ id: f.id, values: new Map(), total: 0, day: 0, novelUnits: 0 }))
    this.moments = emptyMoments()
  }

  /** Registers the facts of an activity: presence bits and counts of its open hour. Learns nothing. */
  observe(activity: Activity, into: Observation): void {
    const hour = hourOf(activity.time)
    into.fresh.length = 0
    into.opened = false
    if (hour <= this.lastClosedHour) {
      into.unit = null
      return
    }
    const day = dayOf(hour)
    if (day > this.#day) {
      // The identity leaves its day: what it showed becomes rows in the same batch as the activity that left it.
      this.flushPresence(day)
      this.#day = day
    }
    let unit = this.open.find((u) => u.hour === hour)
    if (unit === undefined) {
      unit = openUnit(hour, activity.source)
      this.open.push(unit)
      into.opened = true
    }
    into.unit = unit
    unit.events += 1
    if (activity.outcome === 'denied') unit.denied += 1
    if (activity.outcome === 'failure') unit.failed += 1
    unit.bytes += activity.bytesOut
    if (unit.actions.size < DISTINCT_CAP) unit.actions.add(activity.action)
    for (const resource of activity.resources)
      if (unit.resources.size < DISTINCT_CAP) unit.resources.add(resource)
    for (let i = 0; i < FEATURES.length; i++) {
      const value = FEATURES[i]?.of(activity) ?? ''
      if (value === '' || unit.last[i] === value) continue
      unit.last[i] = value
      const known = this.#touch(i, value, hour)
      if (known === null || unit.seen.has(known)) continue
      unit.seen.add(known)
      if (known.firstHour === hour) unit.novel |= 1 << i
      into.fresh.push(known)
    }
  }

  /** Sets the presence bit of (value, hour), creating the value when it is new; null when the feature is full. */
  #touch(index: number, value: string, hour: number): KnownValue | null {
    const feature = this.features[index]
    if (feature === undefined) return null
    const day = dayOf(hour)
    const bit = 1 << (hour % 24)
    const known = feature.values.get(value)
    if (known === undefined) {
      if (feature.values.size >= VALUES_PER_FEATURE) return null
      const fresh: KnownValue = {
        feature: feature.id,
        value,
        presence: 0,
        day,
        firstHour: hour,
        lastHour: hour,
        days: 1,
        lastDay: day,
        hours: bit,
        held: '',
      }
      feature.values.set(value, fresh)
      if (day < this.#day) this.#leaveDay(fresh)
      return fresh
    }
    if (day > known.lastDay) {
      this.#leaveDay(known)
      known.lastDay = day
      known.hours = bit
      known.days += 1
    } else if (day === known.lastDay) known.hours |= bit
    // An open hour of a day that was already left: its row is written by itself.
    if (day < this.#day)
      this.pendingPresence.push({ identity: this.id, feature: known.feature, value, day, hours: bit })
    if (hour > known.lastHour) known.lastHour = hour
    return known
  }

  #leaveDay(known: KnownValue): void {
    if (known.hours === 0) return
    this.pendingPresence.push({
      identity: this.id,
      feature: known.feature,
      value: known.value,
      day: known.lastDay,
      hours: known.hours,
    })
    known.hours = 0
  }

  /** Presence rows of all days before `day` (all days when absent), for the sweep, eviction and shutdown. */
  flushPresence(day = Number.POSITIVE_INFINITY): void {
    for (const feature of this.features)
      for (const known of feature.values.values()) {
        if (known.lastDay >= day) continue
        const hours = known.hours
        this.#leaveDay(known)
        // The bits stay: the row is an OR, and the next bit of the same day writes them again.
        known.hours = day === Number.POSITIVE_INFINITY ? hours : 0
      }
  }

  /** Open hours that may close once the identity's (or the sweep's) event time has reached `time`, oldest first. */
  closable(time: number): OpenUnit[] {
    const first = this.open[0]
    if (first === undefined) return NONE
    const before = hourOf(time) - WATERMARK_HOURS
    if (this.open.length === 1) return first.hour < before ? [first] : NONE
    return this.open.filter((u) => u.hour < before).sort((a, b) => a.hour - b.hour)
  }

  /** Learns an hour and forgets its details. */
  close(unit: OpenUnit, closing: Closing): { readonly row: UnitRow; readonly held: readonly HeldRow[] } {
    const day = dayOf(unit.hour)
    const held: HeldRow[] = []
    for (const known of unit.seen) {
      const feature = this.features[featureIndex(known.feature)]
      if (feature === undefined) continue
      const wasLearnt = known.held !== 'held' && known.presence > 0
      if (!wasLearnt) {
        const decision = closing.gate(known)
        const next = decision.to === 'hold' ? 'held' : decision.to === 'promote' ? 'promoted' : known.held
        if (next !== known.held) {
          if (next === 'promoted') addTotal(feature, day, decayed(known.presence, day - known.day))
          known.held = next
          held.push({
            identity: this.id,
            feature: known.feature,
            value: known.value,
            hour: unit.hour,
            state: next === 'promoted' ? 'promoted' : 'held',
            reason: decision.to === 'learn' ? '' : decision.reason,
          })
        }
      }
      known.presence = decayed(known.presence, day - known.day) + 1
      known.day = Math.max(day, known.day)
      if (known.held !== 'held') addTotal(feature, day, 1)
    }
    this.#learnCounts(unit, closing, day)
    this.closedUnits += 1
    for (let i = 0; i < this.features.length; i++) {
      const feature = this.features[i]
      if (feature !== undefined && (unit.novel & (1 << i)) !== 0) feature.novelUnits += 1
    }
    if (closing.surprise > 0) this.surprises.push({ hour: unit.hour, surprise: closing.surprise })
    this.surprises = this.surprises.filter((s) => s.hour > unit.hour - 168)
    if (this.firstHour < 0 || unit.hour < this.firstHour) this.firstHour = unit.hour
    this.lastClosedHour = Math.max(this.lastClosedHour, unit.hour)
    this.open = this.open.filter((u) => u !== unit)
    return { row: this.#unitRow(unit, closing), held }
  }

  #learnCounts(unit: OpenUnit, closing: Closing, day: number): void {
    const m = this.moments
    decayMoments(m, day)
    m.sessions += unit.sessions
    m.sessionMoves += unit.sessionMoves
    if (!closing.learned) return
    m.units += 1
    m.events += closing.learnedEvents
    m.eventsSquared += closing.learnedEvents ** 2
    m.actions += closing.learnedActions
    m.actionsSquared += closing.learnedActions ** 2
    m.resources += closing.learnedResources
    m.resourcesSquared += closing.learnedResources ** 2
    m.denied += closing.learnedDenied
    const hourOfDay = unit.hour % 24
    m.hours[hourOfDay] = (m.hours[hourOfDay] ?? 0) + 1
    this.slots ??= new Float64Array(168)
    this.slotWeeks ??= new Int32Array(168).fill(-1)
    const slot = slotOf(unit.hour)
    const week = weekOf(unit.hour)
    this.slots[slot] = this.slotCount(slot, week) + closing.learnedEvents
    this.slotWeeks[slot] = week
  }

  /** Decayed learnt events of an hour-of-week slot as of `week`. */
  slotCount(slot: number, week: number): number {
    const count = this.slots?.[slot] ?? 0
    if (count === 0) return 0
    const last = this.slotWeeks?.[slot] ?? week
    return count * 2 ** (-Math.max(0, week - last) / SLOT_HALF_LIFE_WEEKS)
  }

  #unitRow(unit: OpenUnit, closing: Closing): UnitRow {
    const novel: FeatureId[] = []
    for (let i = 0; i < FEATURES.length; i++) {
      const feature = FEATURES[i]
      if (feature !== undefined && (unit.novel & (1 << i)) !== 0) novel.push(feature.id)
    }
    return {
      identity: this.id,
      hour: unit.hour,
      source: unit.source,
      events: unit.events,
      denied: unit.denied,
      failed: unit.failed,
      actions: unit.actions.size,
      resources: unit.resources.size,
      bytes: unit.bytes,
      learnedEvents: closing.learnedEvents,
      learnedActions: closing.learnedActions,
      learnedResources: closing.learnedResources,
      learnedDenied: closing.learnedDenied,
      sessions: unit.sessions,
      sessionMoves: unit.sessionMoves,
      learned: closing.learned,
      novel,
      scores: closing.scores,
      surprise: closing.surprise,
      stratum: closing.stratum,
      state: closing.state,
    }
  }

  /**
   * Remembers where a credential was used. Returns its earlier uses elsewhere (before this one), and whether the
   * credential is new; null when the activity has no credential or no address.
   */
  useCredential(activity: Activity): {
    readonly begun: boolean
    readonly uses: readonly CredentialUse[]
    readonly here: CredentialUse
  } | null {
    const { credential, origin, time } = activity
    if (credential === '' || origin.address === '') return null
    let uses = this.credentials.get(credential)
    const begun = uses === undefined
    if (uses === undefined) {
      if (this.credentials.size >= CREDENTIALS_KEPT) this.#forgetCredentials(time)
      uses = []
    } else {
      this.credentials.delete(credential)
    }
    this.credentials.set(credential, uses)
    let here = uses.find((u) => u.address === origin.address)
    if (here === undefined) {
      here = { address: origin.address, network: origin.network, first: time, last: time }
      if (uses.length < USES_KEPT) uses.push(here)
    } else if (time > here.last) here.last = time
    return { begun, uses, here }
  }

  #forgetCredentials(now: number): void {
    for (const [credential, uses] of this.credentials) {
      const last = uses.reduce((latest, u) => Math.max(latest, u.last), 0)
      if (last < now - CREDENTIAL_MEMORY_MS || this.credentials.size >= CREDENTIALS_KEPT)
        this.credentials.delete(credential)
      else break
    }
  }

  feature(id: FeatureId): FeatureState {
    const feature = this.features[featureIndex(id)]
    if (feature === undefined) throw new Error(`no feature ${id}`)
    return feature
  }

  /** Rebuilds the closed part from the store; the caller then replays `stored.open` through the scorer. */
  static load(stored: StoredIdentity, identity: Identity, kind: Kind): IdentityState {
    const state = new IdentityState(identity, kind)
    state.firstHour = stored.firstHour
    state.lastClosedHour = stored.lastClosedHour
    state.closedUnits = stored.closedUnits
    for (const v of stored.values) {
      const feature = state.feature(v.feature)
      feature.values.set(v.value, {
        feature: v.feature,
        value: v.value,
        presence: v.presence,
        day: dayOf(v.lastHour),
        firstHour: v.firstHour,
        lastHour: v.lastHour,
        days: v.days,
        lastDay: dayOf(v.lastHour),
        hours: v.lastDayHours,
        held: v.held,
      })
      if (v.held !== 'held') addTotal(feature, dayOf(v.lastHour), v.presence)
    }
    for (const feature of state.features) feature.novelUnits = stored.novelUnits[feature.id] ?? 0
    if (stored.slots.length > 0) {
      state.slots = new Float64Array(168)
      state.slotWeeks = new Int32Array(168).fill(-1)
      for (const s of stored.slots) {
        state.slots[s.slot] = s.count
        state.slotWeeks[s.slot] = s.lastWeek
      }
    }
    const { hours, ...sums } = stored.moments
    Object.assign(state.moments, sums)
    state.moments.hours.set(hours.slice(0, 24))
    for (const c of [...stored.credentials].reverse())
      state.credentials.set(
        c.credential,
        c.uses.map((u) => ({ ...u })),
      )
    state.surprises = stored.surprises.map((s) => ({ ...s }))
    state.#day = stored.lastClosedHour < 0 ? -1 : dayOf(stored.lastClosedHour)
    return state
  }
}

const NONE: OpenUnit[] = []

const INDEX: ReadonlyMap<FeatureId, number> = new Map(FEATURES.map((f, i) => [f.id, i]))
/** Position of a feature in FEATURES. */
export const featureIndex = (id: FeatureId): number => INDEX.get(id) ?? -1

export const openUnit = (hour: number, source: string): OpenUnit => ({
  hour,
  source,
  events: 0,
  denied: 0,
  failed: 0,
  bytes: 0,
  sessions: 0,
  sessionMoves: 0,
  seen: new Set(),
  last: [],
  actions: new Set(),
  resources: new Set(),
  novel: 0,
})

const emptyMoments = (): Moments => ({
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
  hours: new Float64Array(24),
})

/** 2^(−days/90) of a sum; days ≤ 0 leave it alone. */
export const decayed = (sum: number, days: number): number =>
  days <= 0 || sum === 0 ? sum : sum * 2 ** (-days / HALF_LIFE_DAYS)

function addTotal(feature: FeatureState, day: number, amount: number): void {
  if (day > feature.day) {
    feature.total = decayed(feature.total, feature.total === 0 ? 0 : day - feature.day)
    feature.day = day
    feature.total += amount
  } else feature.total += decayed(amount, feature.day - day)
}

function decayMoments(m: Moments, day: number): void {
  if (day <= m.lastDay) return
  const factor = m.lastDay === 0 ? 1 : 2 ** (-(day - m.lastDay) / HALF_LIFE_DAYS)
  m.units *= factor
  m.events *= factor
  m.eventsSquared *= factor
  m.actions *= factor
  m.actionsSquared *= factor
  m.resources *= factor
  m.resourcesSquared *= factor
  m.denied *= factor
  m.sessions *= factor
  m.sessionMoves *= factor
  for (let i = 0; i < 24; i++) m.hours[i] = (m.hours[i] ?? 0) * factor
  m.lastDay = day
}

import type { Activity, Identity, Kind } from '../ingest/activity.ts'
import { type CredentialSighting, CredentialUses } from './credential-uses.ts'
import {
  DISTINCT_CAP,
  DORMANT_PRESENCE,
  dayOf,
  FEATURES,
  type FeatureId,
  hourOf,
  SLOT_HALF_LIFE_WEEKS,
  slotOf,
  weekOf,
} from './feature.ts'
import { addTotal, type FeatureState, firstValues, isFull, type KnownValue } from './known-value.ts'
import { decayed, decayMoments, emptyMoments, loadMoments, type Moments } from './moments.ts'
import { type Closing, type Observation, type OpenUnit, openUnit } from './open-unit.ts'
import type { HeldRow, PresenceRow, StoredIdentity, UnitRow } from './rows.ts'

/** An hour stays open for two more hours of the identity's own event time. */
export const WATERMARK_HOURS = 2
const SURPRISE_HOURS = 168

/**
 * What one identity normally does, in memory: a fold over its activities that ClickHouse can repeat at any time
 * (`StoredIdentity`). Every number is a sum with exponential decay over closed hours, so that memory and SQL agree and
 * the order of events inside an hour does not matter.
 *
 * An hour is **open** until an activity of the same identity arrives two hours after its end (its own event time, so a
 * source that lags as a whole loses nothing), then it is **closed**: learnt, and written once.
 */
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
  readonly credentials = new CredentialUses()
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
    into.created.length = 0
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
      this.#show(i, value, unit, into)
    }
  }

  /** A unit shows a value; nothing when it has before, or when the value is new and the feature full. */
  #show(index: number, value: string, unit: OpenUnit, into: Observation): void {
    const feature = this.features[index]
    if (feature === undefined) return
    const { hour } = unit
    const day = dayOf(hour)
    const bit = 1 << (hour % 24)
    let known = feature.values.get(value)
    if (known === undefined) {
      if (isFull(feature)) return
      known = {
        feature: feature.id,
        value,
        presence: 0,
        day,
        firstHour: hour,
        lastHour: hour,
        days: 1,
        hours: bit,
        written: 0,
        held: '',
      }
      feature.values.set(value, known)
      into.created.push(known)
    } else {
      if (unit.seen.has(known)) return
      const lastDay = dayOf(known.lastHour)
      if (!this.#shownOn(known, day)) known.days += 1
      if (day > lastDay) {
        this.#leaveDay(known)
        known.hours = bit
        known.written = 0
      } else if (day === lastDay) known.hours |= bit
      else this.pendingPresence.push({ identity: this.id, feature: known.feature, value, day, hours: bit })
      if (hour > known.lastHour) known.lastHour = hour
      if (hour < known.firstHour) known.firstHour = hour
    }
    unit.seen.add(known)
    into.fresh.push(known)
    // An open hour of a day that the identity has left already: nobody will leave it again.
    if (dayOf(known.lastHour) < this.#day) this.#leaveDay(known)
  }

  /** Whether another hour of the unit's day, closed or open, showed the value. */
  shownEarlierThatDay(known: KnownValue, unit: OpenUnit): boolean {
    return this.#shownOn(known, dayOf(unit.hour), unit)
  }

  #shownOn(known: KnownValue, day: number, except?: OpenUnit): boolean {
    if (known.presence > 0 && known.day === day) return true
    for (const unit of this.open)
      if (unit !== except && dayOf(unit.hour) === day && unit.seen.has(known)) return true
    return false
  }

  #leaveDay(known: KnownValue): void {
    if (known.hours === known.written) return
    this.pendingPresence.push({
      identity: this.id,
      feature: known.feature,
      value: known.value,
      day: dayOf(known.lastHour),
      hours: known.hours,
    })
    known.written = known.hours
  }

  /** Presence rows of all days before `day` (all days when absent), for the sweep, eviction and shutdown. */
  flushPresence(day = Number.POSITIVE_INFINITY): void {
    for (const feature of this.features)
      for (const known of feature.values.values()) if (dayOf(known.lastHour) < day) this.#leaveDay(known)
  }

  /** Open hours that may close once the identity's (or the sweep's) event time has reached `time`, oldest first. */
  closable(time: number): OpenUnit[] {
    const first = this.open[0]
    if (first === undefined) return NONE
    const before = hourOf(time) - WATERMARK_HOURS
    if (this.open.length === 1) return first.hour < before ? [first] : NONE
    return this.open.filter((u) => u.hour < before).sort((a, b) => a.hour - b.hour)
  }

  /** Learns an hour and forgets its details. Hours must close in ascending order; `closable` gives them so. */
  close(unit: OpenUnit, closing: Closing): { readonly row: UnitRow; readonly held: readonly HeldRow[] } {
    if (!this.open.includes(unit)) throw new Error(`hour ${unit.hour} of ${this.id} is not open`)
    if (unit.hour <= this.lastClosedHour) throw new Error(`hour ${unit.hour} of ${this.id} is closed already`)
    const day = dayOf(unit.hour)
    const held: HeldRow[] = []
    let novel = 0
    for (const known of unit.seen) {
      const index = featureIndex(known.feature)
      const feature = this.features[index]
      if (feature === undefined) continue
      if (known.presence === 0) novel |= 1 << index
      const change = this.#learnValue(feature, known, day, closing)
      if (change !== null) held.push({ identity: this.id, hour: unit.hour, ...change })
    }
    this.#learnCounts(unit, closing, day)
    this.closedUnits += 1
    const novelFeatures = this.features.filter((_, index) => (novel & (1 << index)) !== 0)
    for (const feature of novelFeatures) feature.novelUnits += 1
    if (closing.surprise > 0) this.surprises.push({ hour: unit.hour, surprise: closing.surprise })
    if (this.surprises.length > 0)
      this.surprises = this.surprises.filter((s) => s.hour > unit.hour - SURPRISE_HOURS)
    if (this.firstHour < 0) this.firstHour = unit.hour
    this.lastClosedHour = unit.hour
    this.open = this.open.filter((u) => u !== unit)
    const row = this.#unitRow(
      unit,
      closing,
      novelFeatures.map((feature) => feature.id),
    )
    return { row, held }
  }

  /** Adds an hour of presence; returns what the gate changed. */
  #learnValue(
    feature: FeatureState,
    known: KnownValue,
    day: number,
    closing: Closing,
  ): Omit<HeldRow, 'identity' | 'hour'> | null {
    const before = decayed(known.presence, day - known.day)
    let change: Omit<HeldRow, 'identity' | 'hour'> | null = null
    if (known.held === 'held' || before <= DORMANT_PRESENCE) {
      const decision = closing.gate(known)
      const next = decision.to === 'hold' ? 'held' : decision.to === 'promote' ? 'promoted' : known.held
      if (decision.to !== 'learn' && next !== known.held) {
        const { feature: id, value } = known
        change = {
          feature: id,
          value,
          state: decision.to === 'hold' ? 'held' : 'promoted',
          reason: decision.reason,
        }
        // What is held is no part of the total, what was held now is.
        if (known.held === 'held') addTotal(feature, day, before)
        else if (next === 'held') addTotal(feature, day, -before)
        known.held = next
      }
    }
    known.presence = before + 1
    known.day = day
    if (known.held !== 'held') addTotal(feature, day, 1)
    return change
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

  #unitRow(unit: OpenUnit, closing: Closing, novel: readonly FeatureId[]): UnitRow {
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

  /** Remembers where the credential was used; null when the activity has no credential or no address. */
  useCredential(activity: Activity): CredentialSighting | null {
    return this.credentials.observe(activity)
  }

  /** Features that remember no further value: what else the identity shows of them is not told apart, nor scored. */
  fullFeatures(): FeatureId[] {
    return this.features.filter(isFull).map((feature) => feature.id)
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
    const lastDay = dayOf(stored.lastClosedHour)
    for (const v of firstValues(stored.values)) {
      const feature = state.feature(v.feature)
      const day = dayOf(v.lastHour)
      feature.values.set(v.value, {
        feature: v.feature,
        value: v.value,
        presence: v.presence,
        day,
        firstHour: v.firstHour,
        lastHour: v.lastHour,
        days: v.days,
        hours: v.lastDayHours,
        // Earlier days are known from presence rows; those of the last day may have been lost in a crash: write them again.
        written: day < lastDay ? v.lastDayHours : 0,
        held: v.held,
      })
      if (v.held !== 'held') addTotal(feature, day, v.presence)
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
    loadMoments(state.moments, stored.moments)
    state.credentials.load(stored.credentials)
    state.surprises = stored.surprises.map((s) => ({ ...s }))
    state.#day = stored.lastClosedHour < 0 ? -1 : lastDay
    return state
  }
}

const NONE: OpenUnit[] = []

const INDEX: ReadonlyMap<FeatureId, number> = new Map(FEATURES.map((f, i) => [f.id, i]))
/** Position of a feature in FEATURES. */
export const featureIndex = (id: FeatureId): number => INDEX.get(id) ?? -1

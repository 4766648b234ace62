import { z } from 'zod'
import { type Alert, alertSchema } from '../detectors/alert.ts'
import { AlertBook } from '../detectors/alert-book.ts'
import { CalibrationBook } from '../detectors/calibration-book.ts'
import type { DetectorRegistry } from '../detectors/detectors.ts'
import { Groups, peerGroupOf } from '../detectors/groups.ts'
import { type Resident, Residents } from '../detectors/residents.ts'
import { Scorer } from '../detectors/scorer.ts'
import { Estate } from '../features/estate.ts'
import { dayOf, hourOf } from '../features/feature.ts'
import { IdentityState } from '../features/identity-state.ts'
import type {
  AlertRow,
  CalibrationRow,
  HeldRow,
  PresenceRow,
  StoreBatch,
  StoredIdentity,
  UnitRow,
} from '../features/rows.ts'
import { type Scope, scopeName } from '../features/scope.ts'
import type { Store } from '../features/store/connection.ts'
import type { Activity } from '../ingest/activity.ts'
import { type Attribution, createAttribution } from '../ingest/attribution.ts'
import type { createNormaliser } from '../ingest/normalise.ts'
import { accepted, type DeadLetter, dead, type Verdict } from '../ingest/outcome.ts'
import type { ReadRecord } from '../ingest/reader.ts'
import { SeenWindow } from '../ingest/seen-window.ts'

/**
 * The flow on one screen: the one place where records, baselines, detectors and the store meet.
 *
 *   records → activities → new ones → identities in memory → scored, closed, learnt → stored → published
 *
 * A batch is cut by the caller; verdicts do not depend on the cut. The store is written in the order that makes a crash
 * harmless (`store/writer.ts`): alerts first, activities last; a batch that is repeated finds its activities stored and
 * does nothing, or finds them missing and does the same again.
 */
export interface PipelineOptions {
  readonly store: Store
  readonly detectors: DetectorRegistry
  readonly normalise: ReturnType<typeof createNormaliser>
  /** Alerts per day that the operator can look at. */
  readonly alertsPerDay: number
  readonly includePeople: boolean
  /** Event time (ms) before which everything is learnt and nothing alerts. */
  readonly learnUntil?: number | undefined
  /** Identities kept in memory; default 20 000. */
  readonly capacity?: number | undefined
  /** The identities it answers for; absent: all. */
  readonly scope?: Scope | undefined
  /** True once somebody else may answer for them: nothing more may be written. */
  readonly stale?: (() => boolean) | undefined
  /** Told about alerts once they are stored: new ones and those that changed noticeably. */
  readonly publish: (alerts: readonly PublishedAlert[]) => Promise<void>
}

/** An activity that was normalised elsewhere (`ingest/activity-message.ts`), or what is left of a message that was none. */
export interface ActivityRecord {
  readonly activity: Verdict<Activity>
  readonly letter: DeadLetter | undefined
  /** Event time, epoch ms. */
  readonly time: number
}

export type PipelineRecord = ReadRecord | ActivityRecord

/** What became of one record, in the order of a batch; 0 means that nobody said, which must not happen. */
export const OUTCOME = { scored: 1, filtered: 2, duplicate: 3, dead: 4 } as const

export interface PublishedAlert {
  readonly alert: Alert
  readonly change: 'create' | 'update'
}

/** What became of the records of a batch. `read = scored + filtered + duplicate + dead`, always. */
export interface BatchCounts {
  read: number
  scored: number
  duplicate: number
  readonly filtered: Map<string, number>
  readonly dead: Map<string, number>
}

export const newCounts = (): BatchCounts => ({
  read: 0,
  scored: 0,
  duplicate: 0,
  filtered: new Map(),
  dead: new Map(),
})

/** Adds the counts of a batch to a sum. */
export function addCounts(sum: BatchCounts, batch: BatchCounts): void {
  sum.read += batch.read
  sum.scored += batch.scored
  sum.duplicate += batch.duplicate
  for (const [reason, count] of batch.filtered)
    sum.filtered.set(reason, (sum.filtered.get(reason) ?? 0) + count)
  for (const [reason, count] of batch.dead) sum.dead.set(reason, (sum.dead.get(reason) ?? 0) + count)
}

const SEEN_CAPACITY = 1_000_000
const LEARN_CURSOR = 'learn-until'
const calibrationState = z.object({
  day: z.number(),
  factor: z.number(),
  liveSince: z.number(),
  alerts: z.array(z.tuple([z.number(), z.number()])),
})

/** The identities of a pipeline were given to another process: what it had not stored yet is that one's to do. */
export class StaleError extends Error {
  readonly code = 'stale-assignment'

  constructor() {
    super('These identities belong to another process by now.')
    this.name = 'StaleError'
  }
}

export class Pipeline {
  readonly #options: PipelineOptions
  readonly #cursors: { readonly calibration: string; readonly publishing: string }
  readonly #residents: Residents
  readonly #estate = new Estate()
  readonly #groups: Groups
  readonly #calibration: CalibrationBook
  readonly #alerts: AlertBook
  readonly #scorer: Scorer
  readonly #attribution: Attribution
  #seen = new SeenWindow({ capacity: SEEN_CAPACITY, storedUntil: 0 })
  /** Every identity in the store: a newcomer costs no query. */
  #known = new Set<string>()
  #units: UnitRow[] = []
  #held: HeldRow[] = []
  /** The latest write, and the one before it: two are under way at most, which bounds memory. */
  #writing: Promise<void> = Promise.resolve()
  #writingBefore: Promise<void> = Promise.resolve()

  private constructor(options: PipelineOptions, learnUntil: number) {
    this.#options = options
    const name = scopeName(options.scope)
    const suffix = name === '' ? '' : `:${name}`
    this.#cursors = { calibration: `calibration${suffix}`, publishing: `publishing${suffix}` }
    this.#groups = new Groups(name)
    this.#residents = new Residents(options.capacity ?? 20_000)
    this.#calibration = new CalibrationBook({
      alertsPerDay: options.alertsPerDay,
      // What the other partitions counted is complete a day later.
      lagDays: options.scope === undefined ? 3 : 4,
    })
    this.#alerts = new AlertBook(this.#calibration, this.#groups)
    this.#attribution = createAttribution({ capacity: 100_000 })
    this.#scorer = new Scorer({
      detectors: options.detectors.all,
      estate: this.#estate,
      calibration: this.#calibration,
      alerts: this.#alerts,
      groups: this.#groups,
      includePeople: options.includePeople,
      learnUntil,
      closed: (row, held) => {
        this.#units.push(row)
        this.#held.push(...held)
      },
    })
  }

  /** Takes up where the store left off. */
  static async open(options: PipelineOptions): Promise<Pipeline> {
    const { store } = options
    const remembered = Number((await store.cursor(LEARN_CURSOR)) ?? Number.NEGATIVE_INFINITY)
    const learnUntil = Math.max(remembered, options.learnUntil ?? Number.NEGATIVE_INFINITY)
    if (learnUntil > remembered) await store.setCursor(LEARN_CURSOR, String(learnUntil))
    const pipeline = new Pipeline(options, learnUntil)
    await pipeline.#restore()
    return pipeline
  }

  async #restore(): Promise<void> {
    const { store, scope } = this.#options
    const repairs = await store.pendingRepairs(scope)
    if (repairs.length > 0) await store.repair(repairs)
    const { maxTime, activities } = await store.horizon(scope)
    if (activities === 0) return
    this.#seen = new SeenWindow({ capacity: SEEN_CAPACITY, storedUntil: maxTime })
    const reached = dayOf(hourOf(maxTime))
    const estate = await store.loadEstate(scope, reached)
    const groupOf = new Map<string, string>()
    for (const { id, kind, identity } of estate.identities) {
      this.#known.add(id)
      this.#estate.countIdentity(kind)
      groupOf.set(id, peerGroupOf(kind, identity))
      this.#groups.countMember(peerGroupOf(kind, identity))
    }
    for (const { feature, value, identities } of estate.usage)
      this.#estate.loadUse(feature, value, identities)
    for (const { identity, address } of estate.addresses) this.#estate.loadAddress(identity, address)
    for (const n of estate.newcomers)
      this.#groups.observe(groupOf.get(n.identity) ?? '', n.feature, n.value, n.identity, n.hour)
    for (const row of estate.groupAlerts) this.#groups.load(parseAlert(row))
    await this.#publishAgain()
    if (scope === undefined) this.#attribution.load(await store.attributions(100_000))
    const saved = await store.cursor(this.#cursors.calibration)
    // A partition that nobody had before (their number was changed) has no days of its own: it goes on with today.
    if (saved === undefined && scope === undefined) return
    const state =
      saved === undefined
        ? { day: reached, factor: 1, liveSince: -1, alerts: [] }
        : calibrationState.parse(JSON.parse(saved))
    // Remembered before anything is taken: a crash in the first batch must not make it begin a day later.
    if (saved === undefined) await store.setCursor(this.#cursors.calibration, JSON.stringify(state))
    this.#calibration.load(await store.calibration(state.day - 32, state.day - 3, scope))
    if (scope !== undefined)
      this.#calibration.load(await store.calibrationElsewhere(state.day - 33, state.day - 4, scope))
    for (const unit of await store.scoredUnits(state.day - 2, reached, scope))
      this.#calibration.record(unit.stratum, unit.hour, unit.scores)
    this.#calibration.restore(state)
    this.#leftOpen = true
    // Days that began in the batch during which the process died begin again, in order.
    for (let day = state.day; day <= reached; day++) await this.#beginDay(day)
  }

  /** Event time has reached a day: closes what went silent, then takes the day's snapshot for calibration. */
  async #beginDay(day: number): Promise<void> {
    await this.#closeLeftOpen(day)
    this.#sweep(day)
    const before = this.#calibration.day
    this.#calibrationRows.push(
      ...this.#calibration.rollover(day).map((row) => ({ ...row, scope: scopeName(this.#options.scope) })),
    )
    if (this.#options.scope !== undefined) await this.#hearOfOthers(this.#options.scope, before, day)
  }

  /**
   * What crosses identities, from the partitions of other processes: by whole days that all of them have left, so that the
   * same logs give the same verdicts whoever is ahead.
   */
  async #hearOfOthers(scope: Scope, before: number, day: number): Promise<void> {
    const { store } = this.#options
    if (before >= 0 && before < day)
      this.#calibration.load(await store.calibrationElsewhere(Math.max(before - 3, day - 33), day - 4, scope))
    this.#estate.elsewhere(await store.usageElsewhere(day - 3, scope))
  }

  #lookedAround = -1

  /** Once per hour of event time: where the nodes of the clusters are now. More addresses only ever excuse a caller. */
  async #lookAround(activities: readonly Activity[], scope: Scope): Promise<void> {
    let hour = this.#lookedAround
    for (const { time } of activities) hour = Math.max(hour, hourOf(time))
    if (hour === this.#lookedAround) return
    this.#lookedAround = hour
    for (const { identity, address } of await this.#options.store.addressesElsewhere(dayOf(hour), scope))
      this.#estate.loadAddress(identity, address)
  }

  #calibrationRows: CalibrationRow[] = []

  /** Some identities with open hours are not in memory: since a restart, or since they were evicted. */
  #leftOpen = false

  /** Brings in the identities whose hours the daily sweep is to close: calibration counts on them. */
  async #closeLeftOpen(day: number): Promise<void> {
    if (!this.#leftOpen) return
    const { store } = this.#options
    await this.#writing
    const open = await store.unclosed({ from: (day - 4) * 24, before: day * 24 - 26 }, this.#options.scope)
    const left = open.filter((id) => this.#residents.get(id) === undefined)
    for (let at = 0; at < left.length; at += 1000) {
      for (const [, stored] of await store.load(left.slice(at, at + 1000))) {
        const [first] = stored.open
        if (first !== undefined) this.#admit(stored, first)
      }
    }
  }

  /** Alerts that were stored but perhaps not published when the process before died. */
  async #publishAgain(): Promise<void> {
    const { store, publish } = this.#options
    const uids = z.array(z.string()).parse(JSON.parse((await store.cursor(this.#cursors.publishing)) ?? '[]'))
    const alerts: PublishedAlert[] = []
    for (const uid of uids) {
      const row = await store.analyst.alert(uid)
      if (row !== undefined) alerts.push({ alert: parseAlert(row), change: 'update' })
    }
    if (alerts.length > 0) await publish(alerts)
    await store.setCursor(this.#cursors.publishing, '[]')
  }

  /** Scores a batch and starts to store it; resolves when this one is scored and the one two before it durable. */
  async take(
    records: readonly PipelineRecord[],
    outcomes: Uint8Array = new Uint8Array(records.length),
  ): Promise<BatchCounts> {
    const counts = newCounts()
    const { activities, letters } = await this.#fresh(records, counts, outcomes)
    await this.#bringIn(activities)
    if (this.#options.scope !== undefined) await this.#lookAround(activities, this.#options.scope)
    const late: { identity: string; hour: number }[] = []
    const touched = new Set<Resident>()
    for (const activity of activities) {
      const day = dayOf(hourOf(activity.time))
      if (day > this.#calibration.day) await this.#beginDay(day)
      const resident = this.#residentOf(activity)
      touched.add(resident)
      if (!this.#scorer.score(resident, activity, 'stream')) {
        late.push({ identity: activity.identity.id, hour: hourOf(activity.time) })
      }
      this.#accepted.push(activity)
    }
    counts.scored += activities.length
    await this.#write(touched, letters, late)
    return counts
  }

  /** Resolves when everything taken is durable and published. */
  async durable(): Promise<void> {
    await this.#writing
  }

  #accepted: Activity[] = []

  /** Normalises, sorts out what is filtered or dead, and keeps what was never taken before. */
  async #fresh(
    records: readonly PipelineRecord[],
    counts: BatchCounts,
    outcomes: Uint8Array,
  ): Promise<{ readonly activities: readonly Activity[]; readonly letters: readonly DeadLetter[] }> {
    const letters: DeadLetter[] = []
    const candidates: Activity[] = []
    const places: number[] = []
    const unknown: Activity[] = []
    counts.read += records.length
    for (const [at, record] of records.entries()) {
      const verdict = this.#verdictOf(record)
      if (verdict.outcome === 'filtered') {
        outcomes[at] = OUTCOME.filtered
        bump(counts.filtered, verdict.reason)
        continue
      }
      if (verdict.outcome === 'dead') {
        outcomes[at] = OUTCOME.dead
        if (record.letter !== undefined) letters.push(record.letter)
        bump(counts.dead, verdict.reason)
        continue
      }
      const unattributed = verdict.value
      const activity = this.#attributed(unattributed)
      const asked = this.#seen.ask(activity.uid, activity.time)
      if (asked === 'seen') {
        outcomes[at] = OUTCOME.duplicate
        counts.duplicate += 1
        continue
      }
      this.#seen.add(activity.uid, activity.time)
      if (asked === 'unknown') {
        unknown.push(activity)
        // What was nobody's when it was first read may have an owner by now: ask for both.
        if (unattributed !== activity) unknown.push(unattributed)
      }
      outcomes[at] = OUTCOME.scored
      candidates.push(activity)
      places.push(at)
    }
    if (unknown.length === 0) return { activities: candidates, letters }
    await this.#writing
    const stored = await this.#options.store.knownUids(
      unknown.map((a) => ({ uid: a.uid, identity: a.identity.id, time: a.time })),
    )
    if (stored.size === 0) return { activities: candidates, letters }
    const activities: Activity[] = []
    for (const [index, activity] of candidates.entries()) {
      if (stored.has(activity.uid)) outcomes[places[index] ?? 0] = OUTCOME.duplicate
      else activities.push(activity)
    }
    counts.duplicate += candidates.length - activities.length
    return { activities, letters }
  }

  /** With one partition only, whoever made it an activity saw the whole log and attributed it. */
  #attributed(activity: Activity): Activity {
    if (this.#options.scope !== undefined) return activity
    const attributed = this.#attribution.resolve(activity)
    this.#attribution.observe(attributed)
    return attributed
  }

  #verdictOf(record: PipelineRecord): Verdict<Activity> {
    if ('activity' in record) return record.activity
    const { verdict, source } = record
    if (verdict.outcome !== 'accepted') return verdict
    return source === undefined
      ? dead('recognise', 'unrecognised', 'no source')
      : accepted(this.#options.normalise(verdict.value, source, ''))
  }

  /** Loads the identities of a batch that are stored but not in memory, in one query. */
  async #bringIn(activities: readonly Activity[]): Promise<void> {
    const missing = new Map<string, Activity>()
    for (const activity of activities) {
      const { id } = activity.identity
      if (this.#residents.get(id) === undefined && this.#known.has(id)) missing.set(id, activity)
    }
    if (missing.size === 0) return
    // An identity that was evicted a moment ago may still be on its way to the store.
    await this.#writing
    const stored = await this.#options.store.load([...missing.keys()])
    for (const [id, activity] of missing) {
      const found = stored.get(id)
      if (found !== undefined) this.#admit(found, activity)
    }
  }

  #admit(stored: StoredIdentity, activity: Activity): void {
    const state = IdentityState.load(stored, activity.identity, activity.kind)
    const alerts = new Map<number, Alert>()
    let lastAlertHour = -1
    for (const row of stored.alerts) {
      const alert = parseAlert(row)
      alerts.set(row.day, alert)
      // What the replayed hours alerted, they will alert again.
      const hour = hourOf(alert.lastTime)
      if (hour <= stored.lastClosedHour) lastAlertHour = Math.max(lastAlertHour, hour)
    }
    const settled = new Map(stored.settled.map((unit) => [unit.hour, unit]))
    const resident: Resident = { state, verdicts: new Map(), alerts, settled, lastAlertHour }
    this.#residents.add(resident)
    for (const open of stored.open) this.#scorer.score(resident, open, 'store')
    this.#scorer.settle(resident)
  }

  #residentOf(activity: Activity): Resident {
    const { identity, kind } = activity
    const resident = this.#residents.get(identity.id)
    if (resident !== undefined) {
      resident.state.identity = identity
      return resident
    }
    const fresh: Resident = {
      state: new IdentityState(identity, kind),
      verdicts: new Map(),
      alerts: new Map(),
      settled: new Map(),
      lastAlertHour: -1,
    }
    this.#residents.add(fresh)
    this.#known.add(identity.id)
    this.#estate.countIdentity(kind)
    this.#groups.countMember(peerGroupOf(kind, identity))
    return fresh
  }

  /** Once per day of event time: closes what went silent, so that calibration counts it. */
  #sweep(day: number): void {
    for (const resident of this.#residents.all()) {
      this.#scorer.closeBefore(resident, (day - 1) * 86_400_000)
      resident.state.flushPresence(day - 1)
      this.#presence.push(...resident.state.pendingPresence.splice(0))
    }
  }

  #presence: PresenceRow[] = []

  /** Starts to store what the batch brought; waits only for the batch two before it, so that scoring and storing overlap. */
  async #write(
    touched: ReadonlySet<Resident>,
    deadLetters: readonly DeadLetter[],
    late: readonly { readonly identity: string; readonly hour: number }[],
  ): Promise<void> {
    for (const resident of touched) {
      this.#residents.touch(resident)
      this.#collect(resident)
    }
    for (const { identity } of late) {
      const resident = this.#residents.get(identity)
      if (resident === undefined) continue
      this.#leftOpen ||= resident.state.open.length > 0
      this.#release(resident)
      this.#residents.remove(identity)
    }
    for (const evicted of this.#residents.evict()) {
      this.#leftOpen ||= evicted.state.open.length > 0
      this.#release(evicted)
    }
    const changed = this.#alerts.drain()
    const batch: StoreBatch = {
      alerts: changed.map(({ alert }) => alertRow(alert)),
      held: this.#held,
      units: this.#units,
      presence: this.#presence,
      calibration: this.#calibrationRows,
      deadLetters,
      activities: this.#accepted,
    }
    // Copies: the alerts go on growing while these are being published.
    const published = changed
      .filter((c) => c.noticeable)
      .map(
        ({ alert, fresh }): PublishedAlert => ({
          alert: structuredClone(alert),
          change: fresh ? 'create' : 'update',
        }),
      )
    this.#held = []
    this.#units = []
    this.#presence = []
    this.#calibrationRows = []
    this.#accepted = []
    const state = this.#calibration.day >= 0 ? this.#calibration.save() : ''
    await this.#writingBefore
    this.#seen.trim()
    const before = this.#writing
    this.#writingBefore = before
    this.#writing = before.then(() => this.#store(batch, late, published, state))
    // Whoever waits for the next batch or for `durable` sees the failure; nobody else must crash the process over it.
    this.#writing.catch(() => {})
  }

  /** Somebody else may be reading what we are about to write: stop before the next statement. */
  #mustBeOurs(): void {
    if (this.#options.stale?.() === true) throw new StaleError()
  }

  async #store(
    batch: StoreBatch,
    late: readonly { readonly identity: string; readonly hour: number }[],
    published: readonly PublishedAlert[],
    calibrationState: string,
  ): Promise<void> {
    const { store, publish } = this.#options
    this.#mustBeOurs()
    // Named before it is stored: a crash before `publish` is made good at the next start, at least once.
    if (published.length > 0)
      await store.setCursor(this.#cursors.publishing, JSON.stringify(published.map(({ alert }) => alert.uid)))
    await store.write(batch, late, () => this.#mustBeOurs())
    if (calibrationState !== '' && calibrationState !== this.#savedCalibration) {
      await store.setCursor(this.#cursors.calibration, calibrationState)
      this.#savedCalibration = calibrationState
    }
    if (late.length > 0) await store.repair(late)
    this.#mustBeOurs()
    if (published.length > 0) {
      await publish(published)
      await store.setCursor(this.#cursors.publishing, '[]')
    }
  }

  #savedCalibration = ''

  #collect(resident: Resident): void {
    const { state } = resident
    if (state.pendingPresence.length > 0) this.#presence.push(...state.pendingPresence.splice(0))
  }

  #release(resident: Resident): void {
    resident.state.flushPresence()
    this.#collect(resident)
  }

  get identities(): number {
    return this.#known.size
  }

  /** Writes what memory alone knows and waits for it. Hours that are still open stay open: they come back from activities. */
  async close(): Promise<void> {
    for (const resident of this.#residents.all()) this.#release(resident)
    await this.#write(new Set(), [], [])
    await this.#writing
  }
}

function bump(counts: Map<string, number>, reason: string): void {
  counts.set(reason, (counts.get(reason) ?? 0) + 1)
}

const SEVERITY_ID = { low: 2, medium: 3, high: 4, critical: 5 } as const

function alertRow(alert: Alert): AlertRow {
  return {
    uid: alert.uid,
    identity: alert.identity.id,
    day: alert.day,
    firstTime: alert.firstTime,
    lastTime: alert.lastTime,
    severityId: SEVERITY_ID[alert.severity],
    version: alert.version,
    body: JSON.stringify(alert),
  }
}

/** A stored alert, validated: the store is a border too. */
export function parseAlert(row: AlertRow): Alert {
  return alertSchema.parse(JSON.parse(row.body))
}

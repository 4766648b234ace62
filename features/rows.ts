import type { Activity } from '../ingest/activity.ts'
import type { DeadLetter } from '../ingest/outcome.ts'
import type { FeatureId } from './feature.ts'

/** What is written to ClickHouse, and what comes back: plain rows, times as hour or day numbers since 1970. */

/** `presence`: hours of one day in which an identity showed a value. Written when the identity leaves the day. */
export interface PresenceRow {
  readonly identity: string
  readonly feature: FeatureId
  readonly value: string
  readonly day: number
  /** Bit h set: seen in hour h (0..23) of the day. */
  readonly hours: number
}

/** `unit`: one identity in one clock hour. The counts are facts; `learned*` is what the baseline took from them. */
export interface UnitRow {
  readonly identity: string
  readonly hour: number
  readonly source: string
  readonly events: number
  readonly denied: number
  readonly failed: number
  /** Distinct actions and resources, saturating at DISTINCT_CAP. */
  readonly actions: number
  readonly resources: number
  readonly bytes: number
  /** Winsorised counts that enter rates and moments; 0 when the hour is quarantined. */
  readonly learnedEvents: number
  readonly learnedActions: number
  readonly learnedResources: number
  readonly learnedDenied: number
  /** Temporary sessions first seen in this hour, and those that changed network in it. */
  readonly sessions: number
  readonly sessionMoves: number
  /** false: the hour belongs to an alert and teaches nothing. */
  readonly learned: boolean
  /** Features that showed a value never seen before. */
  readonly novel: readonly FeatureId[]
  /** Raw score −ln p (plus weight) per detector that said anything. */
  readonly scores: Readonly<Record<string, number>>
  /** −ln of the combined calibrated p, 0 when nothing was unusual. */
  readonly surprise: number
  /** Calibration stratum (`cloudtrail/low`); scores of open days are counted by it again when a process starts. */
  readonly stratum: string
  /** Whether this unit entered calibration ('scored'), and why not. */
  readonly state: UnitState
}
export type UnitState = 'scored' | 'learning' | 'alerted'

/** `held`: a value seen but not learnt (poisoning gate). baseline = presence − held. Last version wins. */
export interface HeldRow {
  readonly identity: string
  readonly feature: FeatureId
  readonly value: string
  /** Hour in which it was held or its state last changed; also the version. */
  readonly hour: number
  /** 'held': not in the baseline. 'promoted': in the baseline since `hour`, with all its presence. */
  readonly state: 'held' | 'promoted'
  readonly reason: string
}

/** `alert`: current state of one alert; `body` is our own JSON (validated when read back). */
export interface AlertRow {
  readonly uid: string
  readonly identity: string
  /** Day number of the incident. */
  readonly day: number
  readonly firstTime: number
  readonly lastTime: number
  readonly severityId: number
  /** Grows with every change: the last one wins. */
  readonly version: number
  readonly body: string
}

/** `calibration`: how many units of a stratum had a score in a bin on a day; additive. */
export interface CalibrationRow {
  /** Name of the part of the estate that was counted; absent or '': all of it. */
  readonly scope?: string
  readonly day: number
  readonly stratum: string
  readonly detector: string
  readonly bin: number
  readonly units: number
}

/** An hour of an identity that received events after it was closed. */
export interface IdentityHour {
  readonly identity: string
  readonly hour: number
}

/** Everything a batch makes durable, in the order it must be written (see `store/writer.ts`). */
export interface StoreBatch {
  readonly alerts: readonly AlertRow[]
  readonly held: readonly HeldRow[]
  readonly units: readonly UnitRow[]
  readonly presence: readonly PresenceRow[]
  readonly calibration: readonly CalibrationRow[]
  readonly deadLetters: readonly DeadLetter[]
  readonly activities: readonly Activity[]
}

/** One value of one feature as the baseline knows it. */
export interface StoredValue {
  readonly feature: FeatureId
  readonly value: string
  /** Σ hours·2^(−(lastDay − day)/90): decayed presence as of `lastDay`. */
  readonly presence: number
  readonly firstHour: number
  readonly lastHour: number
  /** Number of distinct days. */
  readonly days: number
  /** Bits of `lastDay`. */
  readonly lastDayHours: number
  readonly held: 'held' | 'promoted' | ''
}

/** One hour-of-week slot: decayed learnt events as of its last week. */
export interface StoredSlot {
  readonly slot: number
  readonly lastWeek: number
  /** Σ learnedEvents·2^(−(lastWeek − week)/8). */
  readonly count: number
}

/** Sums over learnt units, decayed by 2^(−(lastDay − day)/90). */
export interface StoredMoments {
  readonly lastDay: number
  readonly units: number
  readonly events: number
  readonly eventsSquared: number
  readonly actions: number
  readonly actionsSquared: number
  readonly resources: number
  readonly resourcesSquared: number
  readonly denied: number
  readonly sessions: number
  readonly sessionMoves: number
  /** Decayed number of learnt units per hour of day, 24 entries. */
  readonly hours: readonly number[]
}

/** Where one credential (session, bound token, key) was used during the last 48 h up to the last closed hour. */
export interface StoredCredential {
  readonly credential: string
  /** Address, network and the first and last event time (ms) there; at most 16, in order of first use. */
  readonly uses: readonly {
    readonly address: string
    readonly network: string
    readonly first: number
    readonly last: number
  }[]
}

/** A unit that was closed already but is replayed, because open hours were scored before it was learnt. */
export interface SettledUnit {
  readonly hour: number
  readonly learnedEvents: number
  readonly learnedActions: number
  readonly learnedResources: number
  readonly learnedDenied: number
  readonly learned: boolean
  readonly surprise: number
  /** Gate decisions of that hour. */
  readonly held: readonly HeldRow[]
}

/** What the store knows of one identity: enough to go on as if the process had never stopped. */
export interface StoredIdentity {
  readonly identity: string
  /**
   * First and last hour of the baseline below; −1 when it is empty. The last one is two hours before the last closed unit:
   * an open hour h was scored when hours up to h − 3 were learnt, and replaying it must find the same.
   */
  readonly firstHour: number
  readonly lastClosedHour: number
  /** Number of closed units, and of those that showed a new value of a feature. */
  readonly closedUnits: number
  readonly novelUnits: Readonly<Partial<Record<FeatureId, number>>>
  readonly values: readonly StoredValue[]
  readonly slots: readonly StoredSlot[]
  readonly moments: StoredMoments
  /** Non-empty credentials with an address, seen in the 48 h before the end of lastClosedHour; at most 64, latest first. */
  readonly credentials: readonly StoredCredential[]
  /** (hour, surprise) of closed units of the last 7 days that were surprising at all, for campaigns. */
  readonly surprises: readonly { readonly hour: number; readonly surprise: number }[]
  /** Activities after the last closed hour, in the order they were first written: they rebuild the open hours. */
  readonly open: readonly Activity[]
  /** The closed units after `lastClosedHour`, oldest first: replaying closes them with these results. */
  readonly settled: readonly SettledUnit[]
  readonly alerts: readonly AlertRow[]
}

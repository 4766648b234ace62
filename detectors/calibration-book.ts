import { median } from 'simple-statistics'
import { dayOf } from '../features/feature.ts'
import type { IdentityState } from '../features/identity-state.ts'
import type { CalibrationRow } from '../features/rows.ts'
import { alphaOf, type BudgetState, nextBudget } from './budget.ts'
import {
  BIN_COUNT,
  BINS_PER_NAT,
  binOf,
  calibratedP,
  finestWithEnough,
  Histogram,
  uncalibratedP,
} from './calibration.ts'
import { familySurprise, strongestByFamily } from './combination.ts'
import type { Family } from './detector.ts'
import type { CampaignWindow, Signal } from './verdict.ts'

/**
 * What scores mean in this estate: for each stratum (kind of log × how busy) and detector, how often units reached a
 * score during the last 28 days. From it come calibrated p-values, and from the operator's budget (alerts per day) the
 * p-value below which an hour alerts.
 *
 * Snapshots change once per day of event time and leave out the last two days, whose units may still be open: so the
 * same log gives the same verdicts wherever a process was restarted.
 */
export interface Crossing {
  readonly p: number
  readonly campaign: CampaignWindow | null
}

interface DayStratum {
  units: number
  readonly detectors: Map<string, Map<number, number>>
}

const WINDOW_DAYS = 28
/** Days before the current one whose hours are all closed. */
const LAG_DAYS = 3
const STRATUM_UNITS = 2000
const LEAST_UNITS = 500
/** Units per day assumed while there are too few to calibrate: a small estate must not alert on its first oddity. */
const ASSUMED_UNITS = 1000
const UNITS = ''
const ESTATE = '*'
/** Counted like the score of a detector: so the number of alerted units of a day is stored with the rest. */
const ALERTED = 'alerted'

export class CalibrationBook {
  readonly #days = new Map<number, Map<string, DayStratum>>()
  readonly #snapshots = new Map<string, Histogram>()
  #budget: BudgetState
  #day = -1
  /** The day whose snapshot answers: that of the activity at hand, today or (across midnight, or replayed) the day before. */
  #asOf = -1
  readonly #unitsPerDay = new Map<number, number>()
  readonly #alertsByDay = new Map<number, number>()
  /** First day on which alerts could be raised; −1 while everything was trusted history. */
  #liveSince = -1

  readonly #lagDays: number

  /**
   * `alertsPerDay`: what the operator can look at. `lagDays`: days before the current one that are complete for certain,
   * those that other processes count included.
   */
  constructor(options: { readonly alertsPerDay: number; readonly lagDays?: number }) {
    this.#lagDays = options.lagDays ?? LAG_DAYS
    this.#budget = { alertsPerDay: options.alertsPerDay, factor: 1 }
  }

  stratumOf(state: IdentityState): string {
    const { units, events } = state.moments
    const perHour = units > 0 ? events / units : 0
    return `${state.kind}/${perHour < 5 ? 'low' : perHour < 50 ? 'middle' : 'high'}`
  }

  /** An activity of this day comes next. Days that are long over are judged as yesterday. */
  at(day: number): void {
    this.#asOf = Math.min(this.#day, Math.max(day, this.#day - 1))
  }

  /**
   * Calibrated p-value of a score: how often units of the stratum reach it, ×10 while there are under 500 of them. Never
   * below what the score itself claims: where a detector hardly ever speaks, its faintest word would look rare.
   */
  p(stratum: string, detector: string, score: number): number {
    const claimed = Math.exp(-score)
    const histogram = this.#histogram(stratum, detector)
    if (histogram.total < LEAST_UNITS) return uncalibratedP(claimed)
    return Math.max(claimed, calibratedP(histogram, score))
  }

  /**
   * From the signals of a unit to its p*: the strongest of each family, summed with damping (detection-notes §13.17), then
   * calibrated as a score of its own.
   */
  combine(stratum: string, signals: Iterable<Signal>): { readonly combined: number; readonly p: number } {
    const strongest = strongestByFamily(familiesOf(signals))
    const combined = familySurprise(strongest.values())
    return combined <= 0 ? { combined: 0, p: 1 } : { combined, p: this.p(stratum, 'combined', combined) }
  }

  /** Whether a unit (or its campaign) is rarer than the budget allows. */
  crossing(stratum: string, p: number, campaigns: Readonly<Record<CampaignWindow, number>>): Crossing | null {
    if (p < alphaOf(this.#budget, 'unit', this.unitsPerDay)) return { p, campaign: null }
    const alpha = alphaOf(this.#budget, 'campaign', this.unitsPerDay) / 2
    let best: Crossing | null = null
    for (const window of ['campaign-24h', 'campaign-6d'] as const) {
      const score = campaigns[window]
      if (score <= 0 || this.#histogram(stratum, window).total < LEAST_UNITS) continue
      const campaignP = this.p(stratum, window, score)
      if (campaignP < alpha && (best === null || campaignP < best.p))
        best = { p: campaignP, campaign: window }
    }
    return best
  }

  /**
   * What an alerted unit may count as, null for nothing. Left out altogether, calibration would see a world without its
   * rarest hours, call the next ones rarer still and alert on ever more; taken as they are, incidents would hide each other.
   * So as many a day as the operator expects count, as if they had just reached the budget.
   */
  scoresOfAlerted(
    stratum: string,
    hour: number,
    scores: Readonly<Record<string, number>>,
  ): Record<string, number> | null {
    this.at(dayOf(hour))
    const alpha = alphaOf(this.#budget, 'unit', this.unitsPerDay)
    if (this.#alertedOn(dayOf(hour)) >= this.#budget.alertsPerDay) return null
    const counted: Record<string, number> = { [ALERTED]: 1 }
    for (const [detector, score] of Object.entries(scores))
      counted[detector] = Math.min(score, this.#edge(stratum, detector, alpha))
    return counted
  }

  /** The smallest score, on the grid of bins, with a p of at most `alpha`. */
  #edge(stratum: string, detector: string, alpha: number): number {
    let below = 0
    let reached = BIN_COUNT
    while (reached - below > 1) {
      const middle = (below + reached) >> 1
      if (this.p(stratum, detector, middle / BINS_PER_NAT) <= alpha) reached = middle
      else below = middle
    }
    return reached / BINS_PER_NAT
  }

  #alertedOn(day: number): number {
    let units = 0
    for (const { detectors } of this.#days.get(day)?.values() ?? [])
      for (const count of detectors.get(ALERTED)?.values() ?? []) units += count
    return units
  }

  /** Counts the scores of a closed unit. Detectors that said nothing count as score 0. */
  record(stratum: string, hour: number, scores: Readonly<Record<string, number>>): void {
    const day = dayOf(hour)
    // Complete days are stored already. Hours of an identity that slept through their end say nothing any more.
    if (this.#day >= 0 && day <= this.#day - LAG_DAYS) return
    const entry = this.#entry(day, stratum)
    entry.units += 1
    for (const [detector, score] of Object.entries(scores)) {
      let bins = entry.detectors.get(detector)
      if (bins === undefined) {
        bins = new Map()
        entry.detectors.set(detector, bins)
      }
      const bin = binOf(score)
      bins.set(bin, (bins.get(bin) ?? 0) + 1)
    }
  }

  #entry(day: number, stratum: string): DayStratum {
    let strata = this.#days.get(day)
    if (strata === undefined) {
      strata = new Map()
      this.#days.set(day, strata)
    }
    let entry = strata.get(stratum)
    if (entry === undefined) {
      entry = { units: 0, detectors: new Map() }
      strata.set(stratum, entry)
    }
    return entry
  }

  /** The finest stratum with 2 000 units: stratum, then kind, then the whole estate. */
  #histogram(stratum: string, detector: string): Histogram {
    const kind = stratum.slice(0, stratum.indexOf('/'))
    const scopes = [stratum, kind, ESTATE].map((scope) => this.#snapshot(scope, detector))
    return finestWithEnough(scopes, STRATUM_UNITS)
  }

  #snapshot(scope: string, detector: string): Histogram {
    const key = `${this.#asOf}\0${scope}\0${detector}`
    let histogram = this.#snapshots.get(key)
    if (histogram === undefined) {
      histogram = new Histogram()
      for (const [day, strata] of this.#days) {
        if (day > this.#asOf - this.#lagDays || day <= this.#asOf - this.#lagDays - WINDOW_DAYS) continue
        for (const [stratum, entry] of strata) {
          if (scope !== ESTATE && stratum !== scope && !stratum.startsWith(`${scope}/`)) continue
          let scored = 0
          for (const [bin, units] of entry.detectors.get(detector) ?? []) {
            histogram.add(bin, units)
            scored += units
          }
          histogram.add(0, entry.units - scored)
        }
      }
      this.#snapshots.set(key, histogram)
    }
    return histogram
  }

  /** Scored units per day of the estate: median over the last seven complete days. */
  get unitsPerDay(): number {
    let units = this.#unitsPerDay.get(this.#asOf)
    if (units === undefined) {
      units = this.#medianUnits(this.#asOf)
      this.#unitsPerDay.set(this.#asOf, units)
    }
    return units < LEAST_UNITS / 7 ? ASSUMED_UNITS : units
  }

  describe(stratum: string): { units: number; state: 'calibrated' | 'uncalibrated' } {
    const { total } = this.#histogram(stratum, 'combined')
    return { units: total, state: total < LEAST_UNITS ? 'uncalibrated' : 'calibrated' }
  }

  /** Alerts may be raised from this day on: days of learning say nothing about the threshold. */
  goLive(day: number): void {
    if (this.#liveSince < 0) this.#liveSince = day
  }

  /** A statistical alert was opened on this day: the weekly controller steers by it. */
  countAlert(day: number): void {
    this.#alertsByDay.set(day, (this.#alertsByDay.get(day) ?? 0) + 1)
  }

  /**
   * Event time has reached a new day: takes a new snapshot, forgets what is too old, and returns the counts of the days that
   * became complete, to be stored.
   */
  rollover(day: number): CalibrationRow[] {
    const from = this.#day
    if (day <= from) return []
    this.#day = day
    this.#asOf = day
    this.#snapshots.clear()
    this.#unitsPerDay.clear()
    const rows: CalibrationRow[] = []
    for (const [past, strata] of this.#days) {
      if (past <= day - LAG_DAYS && past > from - LAG_DAYS) rows.push(...rowsOf(past, strata))
      if (past <= day - 1 - this.#lagDays - WINDOW_DAYS) this.#days.delete(past)
    }
    if (from >= 0 && Math.floor(day / 7) > Math.floor(from / 7)) this.#steer(day)
    return rows
  }

  #medianUnits(day: number): number {
    const counts: number[] = []
    for (let past = day - this.#lagDays - 6; past <= day - this.#lagDays; past++) {
      let units = 0
      for (const entry of this.#days.get(past)?.values() ?? []) units += entry.units
      if (units > 0) counts.push(units)
    }
    return counts.length === 0 ? 0 : median(counts)
  }

  #steer(day: number): void {
    const daily: number[] = []
    for (let past = day - 14; past < day; past++) daily.push(this.#alertsByDay.get(past) ?? 0)
    for (const past of this.#alertsByDay.keys()) if (past < day - 14) this.#alertsByDay.delete(past)
    const lived = this.#liveSince >= 0 && day - this.#liveSince >= 14
    if (lived) this.#budget = nextBudget(this.#budget, { medianAlertsPerDay: median(daily) })
  }

  /** State that cannot be read off the stored units: kept in a cursor. */
  save(): string {
    return JSON.stringify({
      day: this.#day,
      factor: this.#budget.factor,
      liveSince: this.#liveSince,
      alerts: [...this.#alertsByDay],
    })
  }

  /** Goes on at the day at which another process stopped. `saved` was validated by the caller. */
  restore(saved: {
    readonly day: number
    readonly factor: number
    readonly liveSince: number
    readonly alerts: readonly (readonly [number, number])[]
  }): void {
    this.#day = saved.day
    this.#liveSince = saved.liveSince
    this.#budget = { ...this.#budget, factor: saved.factor }
    for (const [day, count] of saved.alerts) this.#alertsByDay.set(day, count)
    this.#asOf = saved.day
    this.#unitsPerDay.clear()
    this.#snapshots.clear()
  }

  get day(): number {
    return this.#day
  }

  /** Stored counts of complete days. */
  load(rows: readonly CalibrationRow[]): void {
    for (const { day, stratum, detector, bin, units } of rows) {
      const entry = this.#entry(day, stratum)
      if (detector === UNITS) entry.units += units
      else {
        const bins = entry.detectors.get(detector) ?? new Map<number, number>()
        bins.set(bin, (bins.get(bin) ?? 0) + units)
        entry.detectors.set(detector, bins)
      }
    }
  }
}

function* familiesOf(signals: Iterable<Signal>): Generator<{ readonly family: Family; readonly p: number }> {
  for (const { detector, p } of signals) yield { family: detector.family, p }
}

function rowsOf(day: number, strata: ReadonlyMap<string, DayStratum>): CalibrationRow[] {
  const rows: CalibrationRow[] = []
  for (const [stratum, entry] of strata) {
    rows.push({ day, stratum, detector: UNITS, bin: 0, units: entry.units })
    for (const [detector, bins] of entry.detectors)
      for (const [bin, units] of bins) rows.push({ day, stratum, detector, bin, units })
  }
  return rows
}

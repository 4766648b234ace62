import { dayOf, hourOf } from '../features/feature.ts'
import type { Alert, Cause, Change, Severity } from './alert.ts'
import {
  alertUid,
  artefactOf,
  joinArtefact,
  joinCause,
  joinCrossing,
  larger,
  published,
  worse,
} from './alert.ts'
import type { CalibrationBook, Crossing } from './calibration-book.ts'
import type { Detector, SignalDraft, Subject } from './detector.ts'
import type { Groups } from './groups.ts'
import type { Resident } from './residents.ts'
import { type Signal, SUPPORTING_P, type UnitVerdict } from './verdict.ts'

/**
 * Opens and grows alerts: one per identity and day. What changed since the last `drain` waits to be written; the caller
 * stores it before the activities that would make it look normal.
 */
export class AlertBook {
  readonly #changed = new Map<string, { readonly alert: Alert; fresh: boolean; noticeable: boolean }>()
  readonly #calibration: CalibrationBook
  readonly #groups: Groups

  constructor(calibration: CalibrationBook, groups: Groups) {
    this.#calibration = calibration
    this.#groups = groups
  }

  /** A contradiction: alerts by itself, outside the statistical budget. */
  contradiction(
    resident: Resident,
    detector: Detector,
    draft: SignalDraft,
    verdict: UnitVerdict,
    subject: Subject,
  ): void {
    const { activity } = subject
    const cause: Cause = {
      ...about(detector, draft),
      p: 0,
      score: 0,
      contradiction: true,
      severity: draft.severity ?? 'high',
      evidence: [activity.uid],
      firstTime: activity.time,
      lastTime: activity.time,
    }
    for (const known of subject.unit.seen)
      if (known.firstHour === subject.unit.hour) verdict.suspicions.set(known, 'part of an alert')
    this.#join(resident, subject, [cause], { p: 1, decisive: [keyOf(cause)] })
    this.support(resident, verdict, subject)
  }

  /** The combined p (or a campaign's) of a unit crossed the budget. */
  statistical(resident: Resident, verdict: UnitVerdict, subject: Subject, crossing: Crossing): void {
    const causes = this.#supporting(verdict, crossing.p)
    const group = this.#groups.groupOf(subject, causes)
    if (group !== null) {
      this.#mark(group.alert, group.fresh, group.change)
      return
    }
    for (const signal of verdict.signals.values())
      if (signal.p <= SUPPORTING_P)
        for (const known of subject.unit.seen)
          if (known.value === signal.draft.value) verdict.suspicions.set(known, 'part of an alert')
    const campaign = crossing.campaign === null ? null : campaignCause(crossing, subject)
    if (campaign !== null) causes.push(campaign)
    const decisive = campaign === null ? this.#decisive(verdict, subject) : [keyOf(campaign)]
    this.#join(resident, subject, causes, { p: crossing.p, decisive })
  }

  /** Adds what else was unusual in a unit that already belongs to an alert. */
  support(resident: Resident, verdict: UnitVerdict, subject: Subject): void {
    // A unit whose deployment was told as a group incident has no alert of its own.
    if (!resident.alerts.has(dayOf(hourOf(subject.activity.time)))) return
    const causes = this.#supporting(verdict, 1)
    if (causes.length > 0) this.#join(resident, subject, causes, { p: 1, decisive: null })
  }

  #supporting(verdict: UnitVerdict, p: number): Cause[] {
    const causes: Cause[] = []
    for (const signal of verdict.signals.values())
      if (signal.p <= Math.max(SUPPORTING_P, p)) causes.push(statisticalCause(signal))
    return causes
  }

  /**
   * The counterfactual: signals whose events taken away, with all that rests on the same events alone, would have left the
   * unit within the budget.
   */
  #decisive(verdict: UnitVerdict, subject: Subject): CauseKey[] {
    const signals = [...verdict.signals.values()]
    const stratum = this.#calibration.stratumOf(subject.state)
    return signals
      .filter((signal) => {
        const others = signals.filter((s) => s.evidence.some((uid) => !signal.evidence.includes(uid)))
        const { p } = this.#calibration.combine(stratum, others)
        return this.#calibration.crossing(stratum, p, NO_CAMPAIGN) === null
      })
      .map((signal) => keyOf(about(signal.detector, signal.draft)))
  }

  /** `decisive`: null when the causes only add to an alert that others raised. */
  #join(
    resident: Resident,
    subject: Subject,
    causes: readonly Cause[],
    { p, decisive }: { readonly p: number; readonly decisive: readonly CauseKey[] | null },
  ): void {
    const { activity } = subject
    const day = dayOf(hourOf(activity.time))
    let alert = resident.alerts.get(day)
    const fresh = alert === undefined
    if (alert === undefined) {
      alert = this.#open(subject, day)
      resident.alerts.set(day, alert)
      if (p < 1) this.#calibration.countAlert(day)
    }
    let change: Change = fresh ? 'noticeable' : 'none'
    if (decisive !== null) change = larger(change, joinCrossing(alert, [...decisive]))
    for (const cause of causes) change = larger(change, joinCause(alert, cause))
    if (published(p) < alert.p) {
      alert.p = published(p)
      change = 'noticeable'
    }
    const severity = statisticalSeverity(alert)
    if (worse(alert.severity, severity) !== alert.severity) {
      alert.severity = severity
      change = 'noticeable'
    }
    change = larger(change, joinArtefact(alert, artefactOf(activity)))
    resident.lastAlertHour = Math.max(resident.lastAlertHour, hourOf(activity.time))
    this.#mark(alert, fresh, change)
  }

  #mark(alert: Alert, fresh: boolean, change: Change): void {
    if (change === 'none') return
    alert.version += 1
    const waiting = this.#changed.get(alert.uid)
    if (waiting === undefined)
      this.#changed.set(alert.uid, { alert, fresh, noticeable: change === 'noticeable' })
    else waiting.noticeable ||= change === 'noticeable'
  }

  #open(subject: Subject, day: number): Alert {
    const { activity, state } = subject
    const hours = state.closedUnits
    return {
      uid: alertUid(state.id, day),
      kind: 'identity',
      identity: state.identity,
      source: activity.source,
      logKind: activity.kind,
      day,
      firstTime: activity.time,
      lastTime: activity.time,
      raisedTime: activity.time,
      causes: [],
      artefacts: [],
      crossings: [],
      p: 1,
      severity: 'low',
      confidence: Number((hours / (hours + 200)).toFixed(2)),
      unitsPerDay: Math.round(this.#calibration.unitsPerDay),
      calibration: this.#calibration.describe(this.#calibration.stratumOf(state)),
      support: {
        hours,
        days: state.firstHour < 0 ? 0 : dayOf(hourOf(activity.time)) - dayOf(state.firstHour),
        full: state.fullFeatures(),
      },
      group: '',
      members: [],
      version: 0,
    }
  }

  /** Alerts changed since the last drain; `fresh` ones were opened since, `noticeable` ones are worth telling again. */
  drain(): { readonly alert: Alert; readonly fresh: boolean; readonly noticeable: boolean }[] {
    const changed = [...this.#changed.values()]
    this.#changed.clear()
    return changed
  }
}

const keyOf = ({ detector, value }: Pick<Cause, 'detector' | 'value'>): CauseKey => ({
  detector,
  value,
})

type CauseKey = Alert['crossings'][number][number]

const NO_CAMPAIGN = { 'campaign-24h': 0, 'campaign-6d': 0 } as const

const about = (
  detector: Detector,
  draft: SignalDraft,
): Pick<
  Cause,
  'detector' | 'title' | 'family' | 'analyticType' | 'attacks' | 'value' | 'observed' | 'expected' | 'text'
> => ({
  detector: detector.id,
  title: detector.title,
  family: detector.family,
  analyticType: detector.analyticType,
  attacks: detector.attacks.map((a) => ({ ...a })),
  value: draft.value.slice(0, 256),
  observed: { ...draft.observed },
  expected: { ...draft.expected },
  text: draft.text,
})

function statisticalCause(signal: Signal): Cause {
  return {
    ...about(signal.detector, signal.draft),
    p: published(signal.p),
    score: Math.round(signal.draft.score * 1000) / 1000,
    contradiction: false,
    severity: 'low',
    evidence: [...signal.evidence],
    firstTime: signal.firstTime,
    lastTime: signal.lastTime,
  }
}

function campaignCause(crossing: Crossing, subject: Subject): Cause {
  const { activity } = subject
  const window = crossing.campaign === 'campaign-24h' ? '24 hours' : '6 days'
  return {
    detector: crossing.campaign ?? 'campaign-24h',
    title: `Several unusual hours within ${window}`,
    family: 'access pattern',
    analyticType: 'statistical',
    attacks: [{ tactic: 'TA0001', technique: 'T1078' }],
    value: '',
    p: published(crossing.p),
    score: 0,
    contradiction: false,
    severity: 'medium',
    observed: { window },
    expected: { p: published(crossing.p) },
    text: `The three most unusual hours of the last ${window} are together rarer than ${published(crossing.p)} of identities' hours.`,
    evidence: [activity.uid],
    firstTime: activity.time,
    lastTime: activity.time,
  }
}

/** Severity of what statistics alone say: by how many independent families are unusual, and how rare it is. */
function statisticalSeverity(alert: Alert): Severity {
  const families = new Set(alert.causes.filter((c) => c.contradiction || c.p <= 1e-2).map((c) => c.family))
  if (families.size >= 3 || (families.size === 2 && alert.p < 1e-5)) return 'high'
  return families.size >= 2 || alert.p < 1e-5 ? 'medium' : 'low'
}

import type { CredentialSighting } from '../features/credential-uses.ts'
import type { Estate } from '../features/estate.ts'
import { dayOf, hourOf } from '../features/feature.ts'
import { type IdentityState, WATERMARK_HOURS } from '../features/identity-state.ts'
import type { Observation, OpenUnit } from '../features/open-unit.ts'
import { openUnit } from '../features/open-unit.ts'
import type { HeldRow, UnitRow } from '../features/rows.ts'
import { type Activity, type Effect, KINDS, type Kind } from '../ingest/activity.ts'
import type { AlertBook } from './alert-book.ts'
import type { CalibrationBook } from './calibration-book.ts'
import { campaignScores } from './campaign.ts'
import { closeSettled, closeUnit } from './closing.ts'
import { cappedP } from './combination.ts'
import type { Detector, SignalDraft, Subject } from './detector.ts'
import { GROUPED, type Groups, peerGroupOf } from './groups.ts'
import { SENSITIVE_EFFECTS } from './learning-gate.ts'
import { isPerson } from './people.ts'
import type { Resident } from './residents.ts'
import { newVerdict, nextCheckpoint, type UnitVerdict } from './verdict.ts'

/**
 * How an activity arrives: `stream` for the first time, `store` when it is replayed from the store to rebuild open hours
 * after a restart: alerts join idempotently, and the estate, which was loaded whole, must not count it twice.
 */
export type Arrival = 'stream' | 'store'

export interface ScorerOptions {
  readonly detectors: readonly Detector[]
  readonly estate: Estate
  readonly calibration: CalibrationBook
  readonly alerts: AlertBook
  /** Score people too (`--include-people`). */
  readonly includePeople: boolean
  /** Event time before which everything is learnt and nothing alerts (`--learn-until`); −Infinity for none. */
  readonly learnUntil: number
  readonly groups: Groups
  /** Where closed units and gate decisions go. */
  readonly closed: (row: UnitRow, held: readonly HeldRow[]) => void
}

const NONE: readonly Detector[] = []
const MATURE_UNITS = 24
const EVIDENCE_KEPT = 20
const HELD_BELOW_P = 1e-3

/**
 * Scores one activity after another against what was known before it. A verdict depends on the order of activities of one
 * identity and on the day's calibration only, never on how they were cut into batches.
 */
export class Scorer {
  readonly #options: ScorerOptions
  readonly #onValue = new Map<string, Detector[]>()
  readonly #onCount: { readonly of: keyof UnitVerdict['checkpoints']; readonly detectors: Detector[] }[] = []
  readonly #onEffect = new Map<Effect, Detector[]>()
  readonly #always = new Map<Kind, Detector[]>()
  readonly #observation: Observation = { unit: null, fresh: [], created: [] }

  constructor(options: ScorerOptions) {
    this.#options = options
    for (const detector of options.detectors) {
      const { trigger } = detector
      switch (trigger.on) {
        case 'value':
          push(this.#onValue, trigger.feature, detector)
          break
        case 'count': {
          const group = this.#onCount.find((c) => c.of === trigger.of)
          if (group === undefined) this.#onCount.push({ of: trigger.of, detectors: [detector] })
          else group.detectors.push(detector)
          break
        }
        case 'activity':
          if (trigger.effects === undefined)
            for (const kind of trigger.kinds ?? KINDS) push(this.#always, kind, detector)
          else for (const effect of trigger.effects) push(this.#onEffect, effect, detector)
          break
        default:
          trigger satisfies never
      }
    }
  }

  /** Takes one activity of the resident's identity. Returns false for a late one, whose hour the caller must recompute. */
  score(resident: Resident, activity: Activity, arrival: Arrival): boolean {
    const { state } = resident
    this.closeBefore(resident, activity.time)
    const observation = this.#observation
    state.observe(activity, observation)
    // The address book comes first, so that a node's first call from its own address is not a stranger's.
    if (arrival === 'stream') this.#options.estate.observeAddress(activity)
    const late = observation.unit === null
    const unit = observation.unit ?? openUnit(hourOf(activity.time), activity.source)
    // The estate counts the identity itself before it is asked, as it does when it comes from the store.
    if (arrival === 'stream')
      for (const known of observation.created) this.#options.estate.countUse(known.feature, known.value)
    if (this.#isScored(activity, state)) this.#ask(resident, activity, unit, late)
    return !late
  }

  #isScored({ identity, time }: Activity, state: IdentityState): boolean {
    return this.#options.includePeople || !isPerson(identity.human, state, hourOf(time))
  }

  #ask(resident: Resident, activity: Activity, unit: OpenUnit, late: boolean): void {
    const { state } = resident
    const live = activity.time >= this.#options.learnUntil
    this.#options.calibration.at(dayOf(unit.hour))
    if (live) this.#options.calibration.goLive(dayOf(unit.hour))
    const verdict = this.#verdictOf(resident, unit, late)
    verdict.scored = true
    const credential = state.useCredential(activity)
    if (credential !== null && !late) countSession(activity, unit, credential)
    const subject: { -readonly [K in keyof Subject]: Subject[K] } = {
      activity,
      state,
      unit,
      estate: this.#options.estate,
      value: null,
      credential,
      mature: isMature(state, unit.hour),
    }
    let changed = false
    if (!late) {
      const sensitive = SENSITIVE_EFFECTS.has(activity.effect)
      const peers = this.#observation.fresh.length === 0 ? '' : peerGroupOf(activity.kind, state.identity)
      for (const known of this.#observation.fresh) {
        if (subject.mature && known.firstHour === unit.hour && GROUPED.includes(known.feature))
          this.#options.groups.observe(peers, known.feature, known.value, state.id, unit.hour)
        if (sensitive && (known.feature === 'action' || known.feature === 'category'))
          verdict.sensitive.add(known)
        const detectors = this.#onValue.get(known.feature)
        if (detectors === undefined) continue
        subject.value = known
        for (const detector of detectors)
          changed = this.#take(detector, detector.score(subject), verdict, subject) || changed
      }
      subject.value = null
      for (const { of, detectors } of this.#onCount) {
        const count = countOf(unit, of)
        if (count < verdict.checkpoints[of]) continue
        verdict.checkpoints[of] = nextCheckpoint(count)
        for (const detector of detectors)
          changed = this.#take(detector, detector.score(subject), verdict, subject) || changed
      }
    }
    const contradicted = this.#contradictions(resident, subject, verdict, live)
    if (changed) this.#combine(resident, verdict, subject, live)
    else if (contradicted && live) this.#options.alerts.support(resident, verdict, subject)
  }

  #contradictions(resident: Resident, subject: Subject, verdict: UnitVerdict, live: boolean): boolean {
    const { effect, kind } = subject.activity
    let any = false
    const ask = (detector: Detector): void => {
      const draft = detector.score(subject)
      if (draft === null) return
      any = true
      if (live) {
        verdict.alerted = true
        this.#options.alerts.contradiction(resident, detector, draft, verdict, subject)
      }
    }
    for (const detector of this.#always.get(kind) ?? NONE) ask(detector)
    if (effect !== '') for (const detector of this.#onEffect.get(effect) ?? NONE) ask(detector)
    return any
  }

  /** Keeps a draft if it is the strongest of its detector in this unit. */
  #take(detector: Detector, draft: SignalDraft | null, verdict: UnitVerdict, subject: Subject): boolean {
    if (draft === null || draft.score <= 0) return false
    const { activity, value } = subject
    const stratum = this.#options.calibration.stratumOf(subject.state)
    const calibrated = this.#options.calibration.p(stratum, detector.id, draft.score)
    const p = cappedP(calibrated, detector.leastP ?? 0)
    if (value !== null && draft.score > -Math.log(HELD_BELOW_P))
      verdict.suspicions.set(value, 'p below 1 in 1 000')
    const known = verdict.signals.get(detector.id)
    if (known === undefined) {
      verdict.signals.set(detector.id, {
        detector,
        draft,
        p,
        evidence: [activity.uid],
        firstTime: activity.time,
        lastTime: activity.time,
      })
      return true
    }
    if (known.evidence.length < EVIDENCE_KEPT) known.evidence.push(activity.uid)
    known.firstTime = Math.min(known.firstTime, activity.time)
    known.lastTime = Math.max(known.lastTime, activity.time)
    if (draft.score <= known.draft.score) return false
    known.draft = draft
    known.p = p
    return true
  }

  #combine(resident: Resident, verdict: UnitVerdict, subject: Subject, live: boolean): void {
    const { calibration, alerts } = this.#options
    const { state } = resident
    const stratum = calibration.stratumOf(state)
    const { combined, p } = calibration.combine(stratum, verdict.signals.values())
    verdict.combined = Math.max(verdict.combined, combined)
    verdict.surprise = Math.max(verdict.surprise, -Math.log(p))
    const now = { hour: subject.unit.hour, surprise: verdict.surprise }
    Object.assign(verdict.campaigns, campaignScores(state, now, resident.lastAlertHour))
    if (!live || !subject.mature) return
    const crossing = calibration.crossing(stratum, p, verdict.campaigns)
    if (crossing === null) {
      if (verdict.alerted) alerts.support(resident, verdict, subject)
      return
    }
    verdict.alerted = true
    alerts.statistical(resident, verdict, subject, crossing)
  }

  #verdictOf(resident: Resident, unit: OpenUnit, late: boolean): UnitVerdict {
    if (late) return newVerdict()
    const known = resident.verdicts.get(unit.hour)
    if (known !== undefined) return known
    const verdict = newVerdict()
    resident.verdicts.set(unit.hour, verdict)
    return verdict
  }

  /** The replay from the store is over: what was closed before is closed now. */
  settle(resident: Resident): void {
    const last = Math.max(-1, ...resident.settled.keys())
    if (last >= 0) this.closeBefore(resident, (last + WATERMARK_HOURS + 1) * 3_600_000)
    resident.settled.clear()
  }

  /** Closes and learns the hours of a resident that lie two hours before `time`. */
  closeBefore(resident: Resident, time: number): void {
    const { state } = resident
    for (const unit of state.closable(time)) {
      const settled = resident.settled.get(unit.hour)
      if (settled !== undefined) {
        closeSettled(state, unit, settled)
        resident.settled.delete(unit.hour)
        resident.verdicts.delete(unit.hour)
        continue
      }
      const verdict = resident.verdicts.get(unit.hour) ?? newVerdict()
      const { row, held } = closeUnit(resident, unit, verdict, {
        estate: this.#options.estate,
        calibration: this.#options.calibration,
        learnAll: (unit.hour + 1) * 3_600_000 <= this.#options.learnUntil,
        mature: isMature(state, unit.hour),
        scored: verdict.scored,
      })
      resident.verdicts.delete(unit.hour)
      this.#options.closed(row, held)
      for (const day of resident.alerts.keys()) if (day < dayOf(unit.hour) - 1) resident.alerts.delete(day)
    }
  }
}

/** History enough for statistics: 24 closed units and a day of age (detection-notes §7). */
export const isMature = (state: IdentityState, hour: number): boolean =>
  state.closedUnits >= MATURE_UNITS && hour - state.firstHour >= 24

const isTemporary = (authMethod: string): boolean => authMethod === 'session' || authMethod === 'bound-token'

function countSession(activity: Activity, unit: OpenUnit, credential: CredentialSighting): void {
  if (!isTemporary(activity.authMethod)) return
  if (credential.begun) unit.sessions += 1
  else if (credential.arrived && movedNetwork(credential)) unit.sessionMoves += 1
}

/** The credential came to a network that none of its earlier uses knew. */
function movedNetwork({ uses, here }: CredentialSighting): boolean {
  return uses.every((use) => use === here || use.network !== here.network)
}

function countOf(unit: OpenUnit, of: keyof UnitVerdict['checkpoints']): number {
  switch (of) {
    case 'events':
      return unit.events
    case 'denied':
      return unit.denied
    case 'actions':
      return unit.actions.size
    case 'resources':
      return unit.resources.size
    default:
      return of satisfies never
  }
}

function push<K>(map: Map<K, Detector[]>, key: K, detector: Detector): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [detector])
  else list.push(detector)
}

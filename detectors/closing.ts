import { sizeFromMoments, winsorise } from '../features/counts.ts'
import type { Estate } from '../features/estate.ts'
import type { IdentityState } from '../features/identity-state.ts'
import type { OpenUnit } from '../features/open-unit.ts'
import type { HeldRow, SettledUnit, UnitRow } from '../features/rows.ts'
import type { CalibrationBook } from './calibration-book.ts'
import { expectedEvents } from './expectation.ts'
import { gate } from './learning-gate.ts'
import type { Resident } from './residents.ts'
import type { UnitVerdict } from './verdict.ts'

export interface ClosingContext {
  readonly estate: Estate
  readonly calibration: CalibrationBook
  /** Trusted history: everything is learnt (`--learn-until`). */
  readonly learnAll: boolean
  readonly mature: boolean
  /** People are learnt but not scored: their silent hours must not dilute what machines' scores mean. */
  readonly scored: boolean
}

/**
 * Ends an hour: decides what the baseline takes from it (values by the gate, counts winsorised at μ + 6σ, nothing from an
 * alerted hour), and hands its scores to calibration.
 */
export function closeUnit(
  resident: Resident,
  unit: OpenUnit,
  verdict: UnitVerdict,
  context: ClosingContext,
): { readonly row: UnitRow; readonly held: readonly HeldRow[] } {
  const { state } = resident
  const { calibration } = context
  const stratum = calibration.stratumOf(state)
  const raw = scoresOf(verdict)
  const counts = context.mature && context.scored
  const counted = !counts
    ? null
    : verdict.alerted
      ? calibration.scoresOfAlerted(stratum, unit.hour, raw)
      : raw
  if (counted !== null) calibration.record(stratum, unit.hour, counted)
  const taken = learnedCounts(state, unit, verdict.alerted, context.mature && !context.learnAll)
  return state.close(unit, {
    ...taken,
    learned: !verdict.alerted,
    scores: counted ?? raw,
    // What was told in an alert is no part of a later campaign.
    surprise: verdict.alerted ? 0 : rounded(verdict.surprise),
    stratum,
    state: counted !== null ? 'scored' : verdict.alerted ? 'alerted' : 'learning',
    gate: (value) =>
      context.learnAll
        ? { to: 'learn' }
        : gate({
            value,
            state,
            estate: context.estate,
            hour: unit.hour,
            suspicion: verdict.suspicions.get(value) ?? '',
            sensitive: verdict.sensitive.has(value),
            lastAlertHour: resident.lastAlertHour,
          }),
  })
}

/** Learns an hour again that was closed before: what was decided then is not decided a second time. */
export function closeSettled(state: IdentityState, unit: OpenUnit, settled: SettledUnit): void {
  state.close(unit, {
    ...settled,
    scores: {},
    stratum: '',
    state: settled.learned ? 'scored' : 'alerted',
    gate: (value) => {
      const decision = settled.held.find((h) => h.feature === value.feature && h.value === value.value)
      if (decision !== undefined)
        return { to: decision.state === 'promoted' ? 'promote' : 'hold', reason: decision.reason }
      return value.held === 'held' ? { to: 'hold', reason: '' } : { to: 'learn' }
    },
  })
}

/** Scores are stored rounded, and calibrated as stored, so that a restart counts the same bins. */
const rounded = (score: number): number => Math.round(score * 1000) / 1000

function scoresOf(verdict: UnitVerdict): Record<string, number> {
  const scores: Record<string, number> = {}
  for (const [id, signal] of verdict.signals) scores[id] = rounded(signal.draft.score)
  if (verdict.combined > 0) scores.combined = rounded(verdict.combined)
  for (const [window, score] of Object.entries(verdict.campaigns))
    if (score > 0) scores[window] = rounded(score)
  return scores
}

function learnedCounts(
  state: IdentityState,
  unit: OpenUnit,
  alerted: boolean,
  winsorised: boolean,
): { learnedEvents: number; learnedActions: number; learnedResources: number; learnedDenied: number } {
  if (alerted) return { learnedEvents: 0, learnedActions: 0, learnedResources: 0, learnedDenied: 0 }
  const m = state.moments
  const cap = (count: number, mean: number, sum: number, sumSquares: number): number => {
    if (!winsorised || m.units <= 0) return count
    const size = sizeFromMoments({ units: m.units, sum, sumSquares })
    return winsorise({ count, mean, phi: 1 / size })
  }
  return {
    learnedEvents: cap(
      unit.events,
      Math.max(expectedEvents(state, unit.hour), m.events / m.units),
      m.events,
      m.eventsSquared,
    ),
    learnedActions: cap(unit.actions.size, m.actions / m.units, m.actions, m.actionsSquared),
    learnedResources: cap(unit.resources.size, m.resources / m.units, m.resources, m.resourcesSquared),
    learnedDenied: unit.denied,
  }
}

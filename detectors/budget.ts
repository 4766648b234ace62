/**
 * The operator's budget (detection-notes §6): A alerts per day instead of a threshold. With Ū scored units a day, a unit
 * alerts when its p lies below α = A/Ū, corrected weekly because realised alerts run at 1 to 2 times the calibrated rate.
 */

export interface BudgetState {
  /** A: what the operator can look at. */
  readonly alertsPerDay: number
  /** Correction of α by the weekly controller, ¼ to 4. */
  readonly factor: number
}

/** Parts of A for units and campaigns. The rest is kept for group incidents, which have no threshold of their own. */
export const BUDGET_SPLIT = { unit: 0.6, campaign: 0.25 } as const
export type BudgetPart = keyof typeof BUDGET_SPLIT

const LEAST_FACTOR = 0.25
const MOST_FACTOR = 4
const LEAST_STEP = 0.5
const MOST_STEP = 2

/** p below which a part of the budget alerts: share·A·factor/Ū. `unitsPerDay`: 7-day median of scored units, over 0. */
export function alphaOf(state: BudgetState, part: BudgetPart, unitsPerDay: number): number {
  return Math.min(1, (BUDGET_SPLIT[part] * state.alertsPerDay * state.factor) / Math.max(1, unitsPerDay))
}

/**
 * The weekly step: factor · clip(A / median daily alerts of the last 14 days, ½, 2), within [¼, 4]. The *median* of days, so
 * that a flood on one day does not tighten α and hide a second attack. A median of 0 asks for the largest step.
 */
export function nextBudget(
  state: BudgetState,
  observation: { readonly medianAlertsPerDay: number },
): BudgetState {
  const observed = observation.medianAlertsPerDay
  if (Number.isNaN(observed)) return state
  const step = observed > 0 ? clip(state.alertsPerDay / observed, LEAST_STEP, MOST_STEP) : MOST_STEP
  return { ...state, factor: clip(state.factor * step, LEAST_FACTOR, MOST_FACTOR) }
}

/**
 * A novelty is paid for once: full p in the first unit that shows it, 1 in later units of the same day (`sameDay`), and on
 * its k-th later day (`laterDays` = k) p^(2^−k), so that a change which stays stops alerting without being forgotten.
 */
export function chargeOnce(
  p: number,
  options: { readonly laterDays: number; readonly sameDay: boolean },
): number {
  if (options.sameDay) return 1
  return p ** (2 ** -Math.max(0, options.laterDays))
}

/** In how many days the estate is expected to show a p this small once: 1/(p·Ū). Infinity when there are no units. */
export function expectedOnceInDays(p: number, unitsPerDay: number): number {
  return unitsPerDay > 0 && p > 0 ? 1 / (p * unitsPerDay) : Number.POSITIVE_INFINITY
}

const clip = (value: number, least: number, most: number): number => Math.min(most, Math.max(least, value))

import type { FeatureId } from '../features/feature.ts'
import type { IdentityState } from '../features/identity-state.ts'

/** Days on which an identity must have done a thing before content alone stops being remarkable. */
const HABIT_DAYS = 3

/**
 * Whether the identity does this regularly (on three distinct days before today). Facts, not learning: an attacker who
 * does it daily has been alerted on the first three days, and a robot that provisions users must not alarm for ever.
 */
export function isHabit(state: IdentityState, feature: FeatureId, value: string, hour: number): boolean {
  const known = state.feature(feature).values.get(value)
  if (known === undefined) return false
  const today = Math.floor(hour / 24)
  return known.days - (known.lastDay === today ? 1 : 0) >= HABIT_DAYS
}

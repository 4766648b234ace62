import { dayOf, type FeatureId } from '../features/feature.ts'
import type { IdentityState } from '../features/identity-state.ts'
import type { Activity } from '../ingest/activity.ts'

/** Days on which an identity must have done a thing before content alone stops being remarkable. */
const HABIT_DAYS = 3

/**
 * Whether the identity does this regularly: the action, and what it does to security, each on three distinct days before
 * today. The effect is asked as well because it depends on content: a bucket policy that stays inside is another matter.
 * Facts, not learning: an attacker who does it daily has been alerted on the first three days, and a robot that provisions
 * users must not alarm for ever.
 */
export function isHabit(state: IdentityState, activity: Activity, hour: number): boolean {
  return (
    daysBefore(state, 'action', activity.action, hour) >= HABIT_DAYS &&
    daysBefore(state, 'category', activity.effect || activity.accessLevel, hour) >= HABIT_DAYS
  )
}

/** Distinct days before that of `hour` on which the identity showed the value. */
export function daysBefore(state: IdentityState, feature: FeatureId, value: string, hour: number): number {
  const known = state.feature(feature).values.get(value)
  if (known === undefined) return 0
  return known.days - (dayOf(known.lastHour) === dayOf(hour) ? 1 : 0)
}

/** Everyone who gains by a grant; `*` for the public. */
export function granteesOf({ details }: Activity): readonly string[] {
  const grantees = new Set<string>()
  if (details.grantee !== undefined) grantees.add(details.grantee)
  for (const grantee of details.grantees?.split(',') ?? []) grantees.add(grantee.trim())
  grantees.delete('')
  return [...grantees]
}

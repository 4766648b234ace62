import { dayOf } from '../features/feature.ts'
import type { IdentityState } from '../features/identity-state.ts'
import { decayed } from '../features/moments.ts'
import type { Human } from '../ingest/activity.ts'

/**
 * Whether an activity is a person's, and so not scored. The log must say so, and the identity must not be one that acted as
 * a machine in more hours than as a person: whoever stole a robot's account and signs in at the console with it (or gives
 * it a second factor) is a person indeed, but the account is still the robot's.
 */
export function isPerson(human: Human, state: IdentityState, hour: number): boolean {
  return human === 'yes' && hoursAs('person', state, hour) >= hoursAs('machine', state, hour)
}

/** Learnt hours, decayed to the day of `hour`. */
function hoursAs(what: 'person' | 'machine', state: IdentityState, hour: number): number {
  const known = state.feature('acts_as').values.get(what)
  if (known === undefined || known.held === 'held') return 0
  return decayed(known.presence, dayOf(hour) - known.day)
}

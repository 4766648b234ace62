import type { Activity } from '../ingest/activity.ts'

/**
 * **Feature**: one aspect of an activity whose values an identity repeats: its actions, networks, software…
 * **Presence**: in how many distinct hours the identity showed a value (volume cannot buy normality).
 *
 * Each feature reads columns of `activity` only, and says so twice: as code for the hot path and as SQL for
 * `rebuild --check`. A test holds the two equal on the same rows.
 */
export interface Feature {
  readonly id: FeatureId
  /** The value in this activity, '' when the activity has none. */
  readonly of: (activity: Activity) => string
  /** The same value as a ClickHouse expression over `activity`. */
  readonly sql: string
}

export const FEATURE_IDS = [
  'category',
  'action',
  'service',
  'resource_class',
  'user_agent',
  'credential',
  'auth_method',
  'region',
  'country',
  'network',
  'prefix',
  'address',
  'acts_as',
] as const
export type FeatureId = (typeof FEATURE_IDS)[number]

// A call that a cloud service makes on an identity's behalf is not the identity moving house.
const located = (activity: Activity): boolean =>
  activity.origin.kind !== 'service' && activity.origin.kind !== 'unknown'
const LOCATED = "origin_kind NOT IN ('service', 'unknown')"

const LONG_LIVED_METHODS = [
  'long-term-key',
  'api-key',
  'certificate',
  'public-key',
  'client-secret',
  'legacy-token',
  'private-key',
] as const
const LONG_LIVED: ReadonlySet<string> = new Set(LONG_LIVED_METHODS)
const LONG_LIVED_SQL = `auth_method IN (${LONG_LIVED_METHODS.map((method) => `'${method}'`).join(', ')})`

export const FEATURES: readonly Feature[] = [
  // What kind of power: the effect where there is one, else the access level. It tells how strongly a new action counts.
  { id: 'category', of: (a) => a.effect || a.accessLevel, sql: "if(effect != '', effect, access_level)" },
  { id: 'action', of: (a) => a.action, sql: 'action' },
  { id: 'service', of: (a) => a.service, sql: 'service' },
  { id: 'resource_class', of: (a) => a.resourceClass, sql: 'resource_class' },
  { id: 'user_agent', of: (a) => a.userAgentFamily, sql: 'user_agent_family' },
  {
    // Temporary credentials are new by nature: only long-lived ones can be known or unknown.
    id: 'credential',
    of: (a) => (isLongLived(a.authMethod) ? a.credential : ''),
    sql: `if(${LONG_LIVED_SQL}, credential, '')`,
  },
  { id: 'auth_method', of: (a) => a.authMethod, sql: 'auth_method' },
  { id: 'region', of: (a) => a.region, sql: 'region' },
  { id: 'country', of: (a) => a.origin.country, sql: 'country' },
  { id: 'network', of: (a) => (located(a) ? a.origin.network : ''), sql: `if(${LOCATED}, network, '')` },
  { id: 'prefix', of: (a) => (located(a) ? a.origin.prefix : ''), sql: `if(${LOCATED}, prefix, '')` },
  { id: 'address', of: (a) => (located(a) ? a.origin.address : ''), sql: `if(${LOCATED}, address, '')` },
  // A log tells people from machines per event, but a person is somebody who mostly acts as one (`detectors/people.ts`).
  {
    id: 'acts_as',
    of: (a) => (a.identity.human === 'yes' ? 'person' : 'machine'),
    sql: "if(human = 'yes', 'person', 'machine')",
  },
]

/** Whether a credential of this method lives long enough to be learnt (sessions and bound tokens do not). */
export function isLongLived(authMethod: string): boolean {
  return LONG_LIVED.has(authMethod)
}

/** Hours since 1970 of an event time: the clock hour every unit and presence bit belongs to. */
export const hourOf = (time: number): number => Math.floor(time / 3_600_000)
/** Days since 1970 of an hour number, UTC. */
export const dayOf = (hour: number): number => Math.floor(hour / 24)
/** Slot 0..167 of an hour in the week (1970-01-01 was a Thursday: slot 0 is Thursday 00 h UTC). */
export const slotOf = (hour: number): number => hour % 168
/** Weeks since 1970 of an hour number, aligned with `slotOf`. */
export const weekOf = (hour: number): number => Math.floor(hour / 168)

/** Half-life of presence and of counts, in days (detection-notes §1: H = 90 d, so that a monthly job stays known). */
export const HALF_LIFE_DAYS = 90
/** At or below half an hour of decayed presence a value is dormant: its return is new again (detection-notes §2). */
export const DORMANT_PRESENCE = 0.5
/** Half-life of an hour-of-week slot, in observations, that is weeks (detection-notes §3). */
export const SLOT_HALF_LIFE_WEEKS = 8
/** Distinct resources and actions are counted exactly up to here, then saturate (both in memory and in SQL). */
export const DISTINCT_CAP = 4096

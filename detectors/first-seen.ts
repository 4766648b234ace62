import { DORMANT_PRESENCE, dayOf, type FeatureId } from '../features/feature.ts'
import type { IdentityState } from '../features/identity-state.ts'
import type { FeatureState, KnownValue } from '../features/known-value.ts'
import { decayed } from '../features/moments.ts'
import { burstM, seenP, summarise, usageBackoff, windowP } from '../features/novelty.ts'
import { chargeOnce } from './budget.ts'
import { quote, type SignalDraft, type Subject } from './detector.ts'

/**
 * The common question of all first-seen detectors: how surprising is it that this identity shows this value now?
 *
 * p = M·T (detection-notes §2, with M measured in time, §13 lesson 13): M is how often an hour of this identity brings
 * something new at all, T how rare the value is among the other identities of the estate. Several new values in one
 * hour count together (`windowP`). A value is charged once: nothing later that day, p^(2^−k) on its k-th later day.
 */
export interface FirstSeenOptions {
  readonly feature: FeatureId
  /** How the value is called in a sentence: "action", "network". */
  readonly noun: string
  /** Weight of the value, ≥ 1: how much worse it is than an ordinary one. */
  readonly weight?: number
}

/** A known value that was seen in fewer than this share of hours is rare enough to be mentioned. */
const RARE_SHARE = 0.01

export function firstSeen(subject: Subject, options: FirstSeenOptions): SignalDraft | null {
  const { state, unit, estate, value, mature } = subject
  if (!mature || value === null || value.feature !== options.feature) return null
  if (state.shownEarlierThatDay(value, unit)) return null
  const feature = state.feature(options.feature)
  const day = dayOf(unit.hour)
  const learnt = value.held !== 'held' && presenceOn(value, day) > DORMANT_PRESENCE
  // The identity itself is one of the users.
  const others = Math.max(0, estate.usersOf(value.feature, value.value) - 1)
  const p = learnt ? rareP(feature, value, day) : unseenWindowP(subject, feature, others)
  if (p === null || p >= 1) return null
  // What was forgotten is charged as on its first day.
  const laterDays = isDormant(value, day) ? 0 : value.days - 1
  const charged = chargeOnce(p, { laterDays, sameDay: false })
  const score = -Math.log(charged) + (learnt ? 0 : Math.log(options.weight ?? 1))
  if (score <= 0) return null
  const hours = state.closedUnits
  return {
    score,
    value: value.value,
    observed: { [options.noun]: value.value.slice(0, 128), first_seen: value.firstHour === unit.hour },
    expected: {
      usual: usual(feature),
      active_hours: hours,
      hours_with_anything_new: feature.novelUnits,
      other_identities_using_it: others,
    },
    text: sentence(options.noun, value, learnt, hours, others, state, feature),
  }
}

function unseenWindowP(subject: Subject, feature: FeatureState, others: number): number {
  const { state, unit, estate } = subject
  const m = burstM({ novelUnits: feature.novelUnits, units: state.closedUnits })
  const t = usageBackoff({
    identitiesUsing: others,
    identitiesInLevel: Math.max(0, estate.identitiesOf(state.kind) - 1),
  })
  let values = 0
  let unseen = 0
  for (const known of unit.seen) {
    if (known.feature !== feature.id) continue
    values += 1
    if (known.firstHour === unit.hour || isDormant(known, dayOf(unit.hour))) unseen += 1
  }
  return windowP({ m: Math.max(1, values), k: unseen, M: m, minP: m * t })
}

const presenceOn = (known: KnownValue, day: number): number => decayed(known.presence, day - known.day)

/** Learnt once, and so long ago that its return is new again. */
const isDormant = (known: KnownValue, day: number): boolean =>
  known.held !== 'held' && known.presence > 0 && presenceOn(known, day) <= DORMANT_PRESENCE

function rareP(feature: FeatureState, value: KnownValue, day: number): number | null {
  const presence = presenceOn(value, day)
  const total = decayed(feature.total, day - feature.day)
  if (total <= 0 || presence / total > RARE_SHARE) return null
  const presences: number[] = []
  for (const known of feature.values.values())
    if (known.held !== 'held') presences.push(presenceOn(known, day))
  return seenP(summarise(presences), presences, presence)
}

/** The three most usual values with their hours, for people. */
export function usual(feature: FeatureState): string {
  const top: KnownValue[] = []
  for (const known of feature.values.values()) {
    if (known.held === 'held' || known.presence < 1) continue
    top.push(known)
    top.sort((a, b) => b.presence - a.presence || (a.value < b.value ? -1 : 1))
    if (top.length > 3) top.pop()
  }
  return top.length === 0
    ? 'none'
    : top.map((k) => `${quote(k.value)} ${Math.round(k.presence)} h`).join(', ')
}

function sentence(
  noun: string,
  value: KnownValue,
  learnt: boolean,
  hours: number,
  others: number,
  state: IdentityState,
  feature: FeatureState,
): string {
  const company =
    others === 0
      ? 'no other identity uses it'
      : others === 1
        ? 'one other identity uses it'
        : `${others} others use it`
  const name = `${noun} ${quote(value.value)}`
  if (learnt) return `Rare ${name}: in ${Math.round(value.presence)} of ${hours} active hours; ${company}.`
  const since =
    value.presence > 0 || value.days > 1 ? `back after a pause` : `never seen in ${hours} active hours`
  const days = Math.max(1, Math.round((state.lastClosedHour - state.firstHour) / 24))
  return `New ${name}: ${since} over ${days} days; ${company}. Usual: ${usual(feature)}.`
}

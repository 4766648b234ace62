import { HALF_LIFE_DAYS } from './feature.ts'
import type { StoredMoments } from './rows.ts'

/** Sums over learnt units, decayed to `lastDay`: mean and variance of what an active hour of the identity holds. */
export interface Moments {
  lastDay: number
  units: number
  events: number
  eventsSquared: number
  actions: number
  actionsSquared: number
  resources: number
  resourcesSquared: number
  denied: number
  sessions: number
  sessionMoves: number
  /** Decayed number of learnt units per hour of day, UTC. */
  readonly hours: Float64Array
}

export const emptyMoments = (): Moments => ({
  lastDay: 0,
  units: 0,
  events: 0,
  eventsSquared: 0,
  actions: 0,
  actionsSquared: 0,
  resources: 0,
  resourcesSquared: 0,
  denied: 0,
  sessions: 0,
  sessionMoves: 0,
  hours: new Float64Array(24),
})

/** 2^(−days/90) of a sum; days ≤ 0 leave it alone. */
export const decayed = (sum: number, days: number): number =>
  days <= 0 || sum === 0 ? sum : sum * 2 ** (-days / HALF_LIFE_DAYS)

/** Moves the sums to a later day. */
export function decayMoments(m: Moments, day: number): void {
  if (day <= m.lastDay) return
  const factor = m.lastDay === 0 ? 1 : 2 ** (-(day - m.lastDay) / HALF_LIFE_DAYS)
  m.units *= factor
  m.events *= factor
  m.eventsSquared *= factor
  m.actions *= factor
  m.actionsSquared *= factor
  m.resources *= factor
  m.resourcesSquared *= factor
  m.denied *= factor
  m.sessions *= factor
  m.sessionMoves *= factor
  for (let i = 0; i < 24; i++) m.hours[i] = (m.hours[i] ?? 0) * factor
  m.lastDay = day
}

export function loadMoments(m: Moments, { hours, ...sums }: StoredMoments): void {
  Object.assign(m, sums)
  m.hours.set(hours.slice(0, 24))
}

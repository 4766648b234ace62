import type { KnownValue } from './known-value.ts'
import type { UnitRow } from './rows.ts'

/** One identity in one clock hour, not yet learnt. */
export interface OpenUnit {
  readonly hour: number
  readonly source: string
  events: number
  denied: number
  failed: number
  bytes: number
  sessions: number
  sessionMoves: number
  readonly seen: Set<KnownValue>
  /** Values of the previous activity by feature: most activities repeat them, and then nothing needs looking up. */
  readonly last: string[]
  readonly actions: Set<string>
  readonly resources: Set<string>
}

/** What the gate and the scorer decided about a unit that is being closed. */
export interface Closing {
  readonly learned: boolean
  readonly learnedEvents: number
  readonly learnedActions: number
  readonly learnedResources: number
  readonly learnedDenied: number
  readonly scores: Readonly<Record<string, number>>
  readonly surprise: number
  readonly stratum: string
  readonly state: UnitRow['state']
  /** Why a value must not be learnt, or '' to learn it; asked once for each value of the unit that is new, dormant or held. */
  readonly gate: (value: KnownValue) => GateDecision
}
export type GateDecision =
  | { readonly to: 'learn' }
  | { readonly to: 'hold' | 'promote'; readonly reason: string }

/** What an activity brought, valid until the next call of `observe`. */
export interface Observation {
  /** null when the hour is already closed: a late activity, whose hour is recomputed in the store. */
  unit: OpenUnit | null
  /** Values that this unit had not shown before. */
  readonly fresh: KnownValue[]
  /** Those of them that the identity never showed in its life. */
  readonly created: KnownValue[]
}

export const openUnit = (hour: number, source: string): OpenUnit => ({
  hour,
  source,
  events: 0,
  denied: 0,
  failed: 0,
  bytes: 0,
  sessions: 0,
  sessionMoves: 0,
  seen: new Set(),
  last: [],
  actions: new Set(),
  resources: new Set(),
})

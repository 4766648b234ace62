import type { FeatureId } from './feature.ts'
import { decayed } from './moments.ts'
import type { StoredValue } from './rows.ts'

/** One value of one feature that an identity showed, and the sums over all of a feature. */
export interface KnownValue {
  readonly feature: FeatureId
  readonly value: string
  /** Decayed number of closed hours with this value, as of the day of the last of them (`day`); 0 when none is closed. */
  presence: number
  day: number
  /** First and last hour, and number of distinct days, open hours included. */
  firstHour: number
  lastHour: number
  days: number
  /** Hours of the day of `lastHour` as a bit mask, and which of them were handed to the writer as a presence row. */
  hours: number
  written: number
  held: '' | 'held' | 'promoted'
}

export interface FeatureState {
  readonly id: FeatureId
  readonly values: Map<string, KnownValue>
  /** Σ presence of values that are learnt, as of day `day`. */
  total: number
  day: number
  /** Closed units that showed a value never seen before. */
  novelUnits: number
}

/** Most values remembered per feature; beyond that new ones are not told apart. */
export const VALUES_PER_FEATURE = 4096

export const isFull = (feature: Pick<FeatureState, 'values'>): boolean =>
  feature.values.size >= VALUES_PER_FEATURE

/** At most as many values per feature as fit, those known longest: the ones that memory would have kept. */
export function firstValues(values: readonly StoredValue[]): readonly StoredValue[] {
  if (values.length <= VALUES_PER_FEATURE) return values
  const room = new Map<FeatureId, number>()
  return [...values]
    .sort((a, b) => a.firstHour - b.firstHour)
    .filter(({ feature }) => {
      const taken = room.get(feature) ?? 0
      room.set(feature, taken + 1)
      return taken < VALUES_PER_FEATURE
    })
}

/** Adds presence as of `day` to the decayed total of a feature. */
export function addTotal(feature: FeatureState, day: number, amount: number): void {
  if (day > feature.day) {
    feature.total = decayed(feature.total, feature.total === 0 ? 0 : day - feature.day)
    feature.day = day
  }
  // What is taken away was added before: below 0 is rounding.
  feature.total = Math.max(0, feature.total + decayed(amount, feature.day - day))
}

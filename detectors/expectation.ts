import { slotMean, slotWeight } from '../features/counts.ts'
import { slotOf, weekOf } from '../features/feature.ts'
import type { IdentityState } from '../features/identity-state.ts'

/**
 * Expected activities of an identity in a clock hour: 0.7 × its hour of the week + 0.3 × the same hour of all days
 * (detection-notes §3). Hours without activity count as zero.
 */
export function expectedEvents(state: IdentityState, hour: number): number {
  const slot = slotOf(hour)
  const week = weekOf(hour)
  let dayCounts = 0
  let dayWeight = 0
  for (let s = slot % 24; s < 168; s += 24) {
    dayCounts += state.slotCount(s, week)
    dayWeight += slotWeight(weeksObserved(state, s, hour))
  }
  return slotMean({
    slotCount: state.slotCount(slot, week),
    slotWeight: slotWeight(weeksObserved(state, slot, hour)),
    dayCounts,
    dayWeight,
  })
}

/** How often a slot of the week has passed between the identity's first hour and `hour`. */
function weeksObserved(state: IdentityState, slot: number, hour: number): number {
  if (state.firstHour < 0) return 0
  const first = Math.ceil((state.firstHour - slot) / 168)
  const last = Math.floor((hour - 1 - slot) / 168)
  return Math.max(0, last - first + 1)
}

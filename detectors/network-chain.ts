import { FEATURES, type FeatureId } from '../features/feature.ts'
import type { SignalDraft, Subject } from './detector.ts'
import { firstSeen } from './first-seen.ts'

/**
 * country ⊃ network (AS organisation, cloud, private block) ⊃ prefix ⊃ address: only the coarsest unseen level speaks, each
 * level with its own history and calibration (detection-notes §2 and §13.14), because a new country is always a new
 * address as well and must not be counted four times.
 */
const CHAIN = ['country', 'network', 'prefix', 'address'] as const
export type NetworkLevel = (typeof CHAIN)[number]

const readValue = new Map<FeatureId, (typeof FEATURES)[number]['of']>(FEATURES.map((f) => [f.id, f.of]))

export function unseenNetworkLevel(subject: Subject, level: NetworkLevel): SignalDraft | null {
  const { state, activity, unit } = subject
  for (const coarser of CHAIN) {
    if (coarser === level) break
    const value = readValue.get(coarser)?.(activity) ?? ''
    if (value === '') continue
    const known = state.feature(coarser).values.get(value)
    if (known === undefined || known.firstHour === unit.hour) return null
  }
  return firstSeen(subject, { feature: level, noun: level })
}

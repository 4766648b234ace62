import type { Estate } from '../features/estate.ts'
import { SHARED } from '../features/estate.ts'
import type { IdentityState } from '../features/identity-state.ts'
import type { KnownValue } from '../features/known-value.ts'
import type { GateDecision } from '../features/open-unit.ts'
import type { Effect } from '../ingest/activity.ts'

/**
 * What may enter the baseline (detection-notes §8). An attacker must not become normal by acting: suspicious values are
 * **held** (seen, kept, not learnt) and **promoted** only after time and company.
 */

/** Operations that no repetition makes normal by itself: they are learnt from trusted history or by a person. */
export const SENSITIVE_EFFECTS: ReadonlySet<Effect | ''> = new Set<Effect>([
  'audit-tampering',
  'credential-minting',
  'permission-grant',
  'trust-change',
])

const LEARN: GateDecision = { to: 'learn' }
const MATURE_PRESENCE = 200
const PROMOTION_DAYS = 3
const QUIET_HOURS = 14 * 24

export interface GateInput {
  readonly value: KnownValue
  readonly state: IdentityState
  readonly estate: Estate
  readonly hour: number
  /** Reason recorded while scoring: small p, part of an alert; '' when none. */
  readonly suspicion: string
  readonly sensitive: boolean
  /** Hour of the identity's latest alert, −1 when none. */
  readonly lastAlertHour: number
}

/** Decides for a value that is new or held whether the closing hour teaches it. Pure. */
export function gate(input: GateInput): GateDecision {
  const { value, state, estate, hour } = input
  if (value.held === 'held') {
    if (input.sensitive || input.suspicion === 'part of an alert') return LEARN_NOT
    if (value.days < PROMOTION_DAYS) return LEARN_NOT
    const others = SHARED.has(value.feature) ? estate.usersOf(value.feature, value.value) - 1 : 0
    if (others >= 2) return { to: 'promote', reason: `${others} other identities use it` }
    const since = Math.max(value.firstHour, input.lastAlertHour)
    if (hour - since >= QUIET_HOURS) return { to: 'promote', reason: '14 days without an alert' }
    return LEARN_NOT
  }
  if (value.held === 'promoted') return LEARN
  if (input.sensitive) return { to: 'hold', reason: 'sensitive: approval only' }
  if (input.suspicion !== '') return { to: 'hold', reason: input.suspicion }
  // Without this clause a settled identity would learn any novelty at once.
  if (
    state.feature(value.feature).total >= MATURE_PRESENCE &&
    SHARED.has(value.feature) &&
    estate.usersOf(value.feature, value.value) <= 1
  )
    return { to: 'hold', reason: 'used by no other identity' }
  return LEARN
}

/** A held value stays held. */
const LEARN_NOT: GateDecision = { to: 'hold', reason: '' }

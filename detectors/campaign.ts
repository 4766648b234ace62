import type { IdentityState } from '../features/identity-state.ts'
import type { CampaignWindow } from './verdict.ts'

/**
 * Patience of an attacker: the mean of the three largest surprises (−ln p*) of an identity in 24 h and in 6 days
 * (detection-notes §5). Fewer than three surprising units are no campaign: the missing ones count as 0.
 */
export const CAMPAIGN_HOURS: Readonly<Record<CampaignWindow, number>> = {
  'campaign-24h': 24,
  'campaign-6d': 144,
}

export function campaignScores(
  state: IdentityState,
  hour: number,
  surprise: number,
): Record<CampaignWindow, number> {
  return {
    'campaign-24h': meanOfThree(state, hour, surprise, CAMPAIGN_HOURS['campaign-24h']),
    'campaign-6d': meanOfThree(state, hour, surprise, CAMPAIGN_HOURS['campaign-6d']),
  }
}

function meanOfThree(state: IdentityState, hour: number, now: number, hours: number): number {
  let a = now
  let b = 0
  let c = 0
  for (const { hour: then, surprise } of state.surprises) {
    if (then <= hour - hours || then >= hour) continue
    if (surprise > a) {
      c = b
      b = a
      a = surprise
    } else if (surprise > b) {
      c = b
      b = surprise
    } else if (surprise > c) c = surprise
  }
  return c === 0 ? 0 : (a + b + c) / 3
}

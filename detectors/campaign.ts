import type { IdentityState } from '../features/identity-state.ts'
import { CAMPAIGN_WINDOWS, campaignStatistic } from './combination.ts'
import type { CampaignWindow } from './verdict.ts'

/**
 * Patience of an attacker: the three largest surprises (−ln p*) of an identity in 24 h and in 6 days (detection-notes §5).
 * The score is their sum less the logarithm of the number of ways to choose three hours of the window, so that it claims no
 * more than three independent hours would. What was already told does not count again: only hours after the last alert.
 */
export function campaignScores(
  state: IdentityState,
  now: { readonly hour: number; readonly surprise: number },
  lastAlertHour: number,
): Record<CampaignWindow, number> {
  const score = (window: number): number => {
    const recent = state.surprises.filter((s) => s.hour > lastAlertHour && s.hour !== now.hour)
    const mean = recent.length < 2 ? 0 : campaignStatistic([...recent, now], now.hour, window)
    return Math.max(0, 3 * mean - Math.log((window * (window - 1) * (window - 2)) / 6))
  }
  return { 'campaign-24h': score(CAMPAIGN_WINDOWS['24h']), 'campaign-6d': score(CAMPAIGN_WINDOWS['6d']) }
}

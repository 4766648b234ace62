import { upperIncompleteGamma } from '../features/special-functions.ts'
import { LEAST_CALIBRATED_P } from './calibration.ts'

/**
 * From calibrated p-values of signals to one p-value of a unit (detection-notes §5, §10, §13.17). Absent signals have p = 1. Every combination here is monotone: raising one p never
 * lowers the result. Results are calibrated once more (`calibration.ts`) before they meet the budget.
 */

const bounded = (p: number): number => (p < 1 ? Math.max(p, LEAST_CALIBRATED_P) : 1)

/**
 * p_F: Fisher's sum S = Σ −ln p for dependent signals, as a scaled χ² with the right mean and variance (Brown 1975;
 * Kost & McDermott 2002): k = mean²/variance, θ = variance/mean, p_F = Q(k, S/θ). `mean` and `variance` are those of S over
 * the calibration window; the variance equals the sum ΣC of all covariances. Not used yet: what comes with the isolation
 * forest is to be held against it.
 */
export function brownP(
  ps: Iterable<number>,
  moments: { readonly mean: number; readonly variance: number },
): number {
  const { mean, variance } = moments
  if (!(mean > 0) || !(variance > 0)) return 1
  let sum = 0
  for (const p of ps) sum -= Math.log(bounded(p))
  return upperIncompleteGamma((mean * mean) / variance, (sum * mean) / variance)
}

/** p of a signal that cannot prove misuse alone (volume, client version, address, hour): never below `least`. */
export const cappedP = (p: number, least: number): number => Math.max(p, least)

/** The smallest p of each family: signals of one family often see one cause, which must count once. */
export function strongestByFamily<F>(
  signals: Iterable<{ readonly family: F; readonly p: number }>,
): Map<F, number> {
  const strongest = new Map<F, number>()
  for (const { family, p } of signals) {
    const known = strongest.get(family)
    if (known === undefined || p < known) strongest.set(family, p)
  }
  return strongest
}

/**
 * Damped sum over families, in nats: the largest −ln p in full, the second at `damping`, the third at `damping`², … With
 * damping < 1 two families that agree weigh more than one, but five faint ones do not outweigh a strong one.
 */
export function familySurprise(ps: Iterable<number>, damping = 0.5): number {
  const surprises: number[] = []
  for (const p of ps) surprises.push(-Math.log(bounded(p)))
  surprises.sort((a, b) => b - a)
  let sum = 0
  let weight = 1
  for (const surprise of surprises) {
    sum += weight * surprise
    weight *= damping
  }
  return sum
}

/** Hours over which surprises of one identity add up to a campaign. */
export const CAMPAIGN_WINDOWS = { '24h': 24, '6d': 144 } as const

/**
 * Mean of the three largest surprises (−ln p*) of an identity in the `window` hours up to and including `now`; 0 when fewer
 * than three units surprised, because one strange hour is no campaign.
 */
export function campaignStatistic(
  surprises: Iterable<{ readonly hour: number; readonly surprise: number }>,
  now: number,
  window: number,
): number {
  let a = 0
  let b = 0
  let c = 0
  for (const { hour, surprise } of surprises) {
    if (hour <= now - window || hour > now) continue
    if (surprise > a) {
      c = b
      b = a
      a = surprise
    } else if (surprise > b) {
      c = b
      b = surprise
    } else if (surprise > c) c = surprise
  }
  return c > 0 ? (a + b + c) / 3 : 0
}

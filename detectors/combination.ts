import { upperIncompleteGamma } from '../features/special-functions.ts'
import { LEAST_CALIBRATED_P } from './calibration.ts'

/**
 * From calibrated p-values of signals to one p-value of a unit, and back to the share each signal had in it
 * (detection-notes §5, §10, §13.17). Absent signals have p = 1. Every combination here is monotone: raising one p never
 * lowers the result. Results are calibrated once more (`calibration.ts`) before they meet the budget.
 */

const bounded = (p: number): number => (p < 1 ? Math.max(p, LEAST_CALIBRATED_P) : 1)

/** p_B = min(1, J·min p). `detectors`: number J of signals that could have spoken. */
export function bonferroniP(ps: Iterable<number>, detectors: number): number {
  let least = 1
  for (const p of ps) least = Math.min(least, bounded(p))
  return Math.min(1, Math.max(1, detectors) * least)
}

/**
 * p_F: Fisher's sum S = Σ −ln p for dependent signals, as a scaled χ² with the right mean and variance (Brown 1975;
 * Kost & McDermott 2002): k = mean²/variance, θ = variance/mean, p_F = Q(k, S/θ). `mean` and `variance` are those of S over
 * the calibration window; the variance equals the sum ΣC of all covariances.
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

/** p_c = min(1, 2·min(p_F, p_B)): many weak signals together, or one strong one. */
export const combinedP = (fisher: number, bonferroni: number): number =>
  Math.min(1, 2 * Math.min(fisher, bonferroni))

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

export interface SignalShare {
  readonly signal: string
  /** b = −log₂ p, at least 0. */
  readonly bits: number
  /** Part of all bits; 0 when nothing is surprising. */
  readonly share: number
  /** The combined p had this signal been silent. */
  readonly pWithout: number
}

/**
 * What each signal contributed, in the given order. `combine` is the whole way from p-values to the final p, the second
 * calibration included, so that `pWithout` can be held against the budget.
 */
export function signalShares(
  signals: readonly { readonly signal: string; readonly p: number }[],
  combine: (ps: readonly number[]) => number,
): SignalShare[] {
  const ps = signals.map((s) => s.p)
  const bits = ps.map((p) => Math.log2(1 / bounded(p)))
  const total = bits.reduce((sum, b) => sum + b, 0)
  return signals.map(({ signal }, i) => {
    const own = bits[i] ?? 0
    return {
      signal,
      bits: own,
      share: total > 0 ? own / total : 0,
      pWithout: combine(ps.map((p, j) => (j === i ? 1 : p))),
    }
  })
}

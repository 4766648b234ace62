import { SLOT_HALF_LIFE_WEEKS } from './feature.ts'
import { logBeta, logBetaTerm, logIncompleteBeta } from './special-functions.ts'

/**
 * Counts of an hour against their own history (detection-notes §3 and §13.16): negative binomial for counts, beta-binomial
 * for refusals. All p-values are upper **mid-p**: P(X > c) + ½·P(X = c), because the plain tail of a discrete count is too
 * large on average. They lie in [1e−300, 1], so that −ln p is always finite; arguments that are not numbers give 1.
 */

/** The smallest p-value: −ln of it is 690.8. */
export const LEAST_P = 1e-300

const bounded = (p: number): number => (p < 1 ? Math.max(p, LEAST_P) : 1)

/**
 * Upper mid-p of a count c under NB(mean μ, size r = 1/φ, variance μ + φμ²): I_{μ/(μ+r)}(c+1, r) + ½·NB(c; μ, r).
 */
export function negativeBinomialUpperMidP(input: {
  readonly count: number
  readonly mean: number
  readonly size: number
}): number {
  const { count } = input
  if (!(count >= 0) || Number.isNaN(input.mean) || Number.isNaN(input.size)) return 1
  const mean = clip(input.mean, 1e-9, 1e12)
  // From a size of 10⁹ on it is a Poisson distribution.
  const size = clip(input.size, 1e-6, 1e9)
  const x = mean / (mean + size)
  const y = size / (mean + size)
  const logTail = logIncompleteBeta(x, count + 1, size, y)
  const logPmf =
    count === 0 ? -size * Math.log1p(mean / size) : logBetaTerm(x, y, count, size) - Math.log(count)
  return bounded(Math.exp(logTail) + 0.5 * Math.exp(logPmf))
}

/**
 * Upper mid-p of `denied` out of `events` when the share is Beta(a, b): P(X > x) + ½·P(X = x). Terms are summed by their
 * ratios away from the mean until the rest is negligible.
 */
export function betaBinomialUpperMidP(input: {
  readonly denied: number
  readonly events: number
  readonly a: number
  readonly b: number
}): number {
  const n = Math.min(Math.floor(input.events), MOST_EVENTS)
  if (!(n > 0) || !(input.denied >= 0) || Number.isNaN(input.a) || Number.isNaN(input.b)) return 1
  const x = Math.min(Math.floor(input.denied), n)
  const a = clip(input.a, 1e-6, 1e9)
  const b = clip(input.b, 1e-6, 1e9)
  const logPmf = logBetaBinomial(x, n, a, b)
  if (x * (a + b) >= n * a) return bounded(Math.exp(logPmf + Math.log(outwardSum(x, n, a, b))))
  return bounded(1 - Math.exp(logPmf + Math.log(outwardSum(n - x, n, b, a))))
}
/** Bounds the summation; no identity is refused more often in an hour. */
const MOST_EVENTS = 1e8

/**
 * ln P(X = x). The two large terms are compared at a common share θ = (x+½)/(n+1), where both are small; by log-gammas the
 * difference would cancel nine digits at n = 10⁶.
 */
function logBetaBinomial(x: number, n: number, a: number, b: number): number {
  const theta = (x + 0.5) / (n + 1)
  const rest = (n - x + 0.5) / (n + 1)
  return (
    logBetaTerm(theta, rest, x + 1, n - x + 1) -
    logBetaTerm(theta, rest, x + a, n - x + b) +
    (a - 1) * Math.log(theta) +
    (b - 1) * Math.log(rest) -
    Math.log(n + 1) -
    logBeta(a, b)
  )
}

/** ½ + Σ_{k>x} P(k)/P(x): the mid-p from x upwards in units of P(x). */
function outwardSum(x: number, n: number, a: number, b: number): number {
  let sum = 0.5
  let term = 1
  for (let k = x; k < n; k++) {
    const shrink = (n - k) / (n - k - 1 + b)
    const ratio = (shrink * (k + a)) / (k + 1)
    term *= ratio
    sum += term
    // For b ≥ 1 no later ratio exceeds this one, so the rest is below a geometric series. Otherwise masses may rise again
    // towards n, and all are summed.
    const most = a >= 1 ? ratio : shrink
    if (b >= 1 && most < 1 && term * most < 1e-14 * sum * (1 - most)) break
  }
  return sum
}

const LEAST_DISPERSION = 0.08
const MOST_DISPERSION = 5

/**
 * Size r = 1/φ by decayed moments of active hours, φ = (s² − m)/max(m², 0.05) clipped to [0.08, 5]: a very regular past must
 * not make the next small deviation impossible. Without history the widest.
 */
export function sizeFromMoments(input: {
  readonly units: number
  readonly sum: number
  readonly sumSquares: number
}): number {
  const { units, sum, sumSquares } = input
  if (!(units > 0) || !(sum > 0) || !Number.isFinite(sumSquares)) return 1 / MOST_DISPERSION
  const mean = sum / units
  const variance = Math.max(0, sumSquares / units - mean * mean)
  const phi = (variance - mean) / Math.max(mean * mean, 0.05)
  return 1 / clip(phi, LEAST_DISPERSION, MOST_DISPERSION)
}

/** μ = 0.7·c_j/e_j + 0.3·Σc/Σe over the same hour of all days, at least 0.02. */
export function slotMean(input: {
  readonly slotCount: number
  readonly slotWeight: number
  readonly dayCounts: number
  readonly dayWeight: number
}): number {
  const own = input.slotWeight > 0 ? input.slotCount / input.slotWeight : 0
  const sameHour = input.dayWeight > 0 ? input.dayCounts / input.dayWeight : 0
  return Math.max(LEAST_MEAN, 0.7 * own + 0.3 * sameHour)
}

/** A slot that was always empty still allows an activity now and then. */
const LEAST_MEAN = 0.02

const DECAY = 2 ** (-1 / SLOT_HALF_LIFE_WEEKS)

/** Decayed number of times a slot was observed in `weeks` weeks, starting from ½: ½λ^w + (1 − λ^w)/(1 − λ). */
export function slotWeight(weeks: number): number {
  const power = DECAY ** weeks
  return 0.5 * power + (1 - power) / (1 - DECAY)
}

/** What is learnt of a count: min(c, μ + 6·√(μ + φμ²)), so that one burst does not become the norm. */
export function winsorise(input: {
  readonly count: number
  readonly mean: number
  readonly phi: number
}): number {
  const { count, mean, phi } = input
  return Math.min(count, mean + 6 * Math.sqrt(mean + phi * mean * mean))
}

const clip = (value: number, least: number, most: number): number => Math.min(most, Math.max(least, value))

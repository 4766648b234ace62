/**
 * What a raw score means in this estate (detection-notes §4): a score is x = −ln p plus the logarithm of a weight; its
 * calibrated p-value is how often units of the same stratum reached it.
 *
 * Scores are kept as counts in bins of 0.05 nats up to 64, so histograms add up over days, strata and processes. Binning
 * costs at most 5 % of a p-value, always upwards: what shares the bin of a score counts as reaching it.
 */

export const BINS_PER_NAT = 20
export const BIN_COUNT = 64 * BINS_PER_NAT
/** No calibrated p-value is smaller: history cannot prove more (§3). */
export const LEAST_CALIBRATED_P = 1e-12

/** Bin 0..1279 of a score; negative scores and NaN are bin 0, everything from 63.95 up the last. */
export function binOf(score: number): number {
  if (!(score > 0)) return 0
  return Math.min(BIN_COUNT - 1, Math.floor(score * BINS_PER_NAT))
}

/**
 * How the tail beyond the observed quantile is extended.
 * - `exponential` (scoring): a predictive tail over the top 0.2 %, or ten units where that is less.
 * - `pareto`: the shape of §4, fitted by moments, rank only below 30 tail units.
 */
export type TailShape = 'exponential' | 'pareto'

/** p of a score beyond `threshold` is `p·(1 + ξ·(x − threshold)/σ)^(−1/ξ)`. */
export interface Tail {
  readonly threshold: number
  readonly units: number
  /** p at the threshold. */
  readonly p: number
  readonly sigma: number
  readonly xi: number
}

/** Counts of units per score bin. Units without a score belong into bin 0. */
export class Histogram {
  readonly #bins = new Float64Array(BIN_COUNT)
  #total = 0
  #atLeast: Float64Array | null = null
  #tails: { readonly [shape in TailShape]: Tail | null } | null = null

  get total(): number {
    return this.#total
  }

  /** Adds `units` to a bin. Nothing is added for counts that are not positive. */
  add(bin: number, units = 1): void {
    if (!(units > 0) || units === Number.POSITIVE_INFINITY) return
    const index = bin > 0 ? Math.min(BIN_COUNT - 1, Math.floor(bin)) : 0
    this.#bins[index] = (this.#bins[index] ?? 0) + units
    this.#total += units
    this.#atLeast = null
    this.#tails = null
  }

  addAll(other: Histogram): void {
    for (let bin = 0; bin < BIN_COUNT; bin++) this.add(bin, other.units(bin))
  }

  units(bin: number): number {
    return this.#bins[bin] ?? 0
  }

  /** Units in this bin or a higher one. */
  atLeast(bin: number): number {
    this.#atLeast ??= suffixSums(this.#bins)
    return this.#atLeast[bin] ?? 0
  }

  tail(shape: TailShape): Tail | null {
    this.#tails ??= { exponential: exponentialTail(this), pareto: paretoTail(this) }
    return this.#tails[shape]
  }
}

function suffixSums(bins: Float64Array): Float64Array {
  const sums = new Float64Array(BIN_COUNT)
  let sum = 0
  for (let bin = BIN_COUNT - 1; bin >= 0; bin--) {
    sum += bins[bin] ?? 0
    sums[bin] = sum
  }
  return sums
}

/**
 * Calibrated p of a score, in [1e−12, 1], never rising with the score:
 * (1 + #{x_i ≥ x})/(n + 1) up to the threshold, the fitted tail beyond. Constant time after the first call.
 */
export function calibratedP(histogram: Histogram, score: number, shape: TailShape = 'exponential'): number {
  const tail = histogram.tail(shape)
  if (tail === null || !(score > tail.threshold))
    return (1 + histogram.atLeast(binOf(score))) / (histogram.total + 1)
  return Math.max(LEAST_CALIBRATED_P, tail.p * paretoSurvival(score - tail.threshold, tail))
}

/** (1 + ξy/σ)^(−1/ξ), exp(−y/σ) for ξ → 0, and 0 beyond a finite end. */
export function paretoSurvival(
  excess: number,
  { sigma, xi }: { readonly sigma: number; readonly xi: number },
): number {
  if (!(excess > 0)) return 1
  const z = excess / sigma
  if (Math.abs(xi) < 1e-9) return Math.exp(-z)
  return xi * z <= -1 ? 0 : Math.exp(-Math.log1p(xi * z) / xi)
}

/** §4: generalised Pareto by moments, threshold at the .99 quantile (.98 below 10⁴ units), null below 30 tail units. */
function paretoTail(histogram: Histogram): Tail | null {
  const { total } = histogram
  const bin = thresholdBin(histogram, total < 10_000 ? 0.02 : 0.01)
  const { units, mean, variance } = excesses(histogram, bin)
  if (units < 30) return null
  const xi = variance > 0 ? Math.min(0.4, Math.max(-0.1, 0.5 * (1 - (mean * mean) / variance))) : -0.1
  return { threshold: bin / BINS_PER_NAT, units, p: units / total, sigma: mean * (1 - xi), xi }
}

/** Weight, in tail units, of the assumption that a raw p-value means what it says (mean excess 1 nat). */
const PRIOR_UNITS = 2
/** The tail is the top 0.2 %, or ten units where that is less: a lower threshold bends more of a misfit into the slope. */
const TAIL_SHARE = 0.002
const LEAST_TAIL = 10

/**
 * §13.19: exponential excesses over the top 0.2 %, the default because a fitted shape is unsteady exactly on the rare
 * signals that matter. Three choices keep it honest where there is little to fit:
 * - *predictive*, not plugged in: for exponential excesses with sum Σ, a new one exceeds y with probability
 *   (1 + y/Σ)^(−N_t) (Lawless 1982, §3.5), so five tail units promise far less than five hundred. This makes "rank only
 *   below 30" needless, which would bar a detector that hardly ever speaks from ever alerting: its p could not fall below
 *   1/n, nor outweigh the sum of such detectors;
 * - two assumed units of mean 1, the excess of an honest −ln p, so that a detector that never spoke has a tail as well;
 * - a mean of at least 1: a tail steeper than the raw p itself comes from ties and caps, and must not sharpen evidence.
 * Simulated P(p ≤ a)/a for true scores lighter, equal and heavier than exponential: at a = .001 0.6, 1.0, 0.9 with 20 000
 * units of history and 0.3, 0.8, 1.2 with 2 000; at a = .0001 0.1, 0.9, 1.4 and 0.0, 0.4, 2.5.
 */
function exponentialTail(histogram: Histogram): Tail | null {
  const { total } = histogram
  if (total <= 0) return null
  const bin = thresholdBin(histogram, Math.max(TAIL_SHARE, LEAST_TAIL / total))
  const { units, mean } = excesses(histogram, bin)
  const shape = PRIOR_UNITS + units
  return {
    threshold: bin / BINS_PER_NAT,
    units,
    p: (1 + units) / (total + 1),
    sigma: Math.max(1, (PRIOR_UNITS + units * mean) / shape),
    xi: 1 / shape,
  }
}

/**
 * Lowest bin, above 0, that at most `share` of the units reach; moved up to the first occupied one, because an empty
 * stretch below the first excess would pass for a long tail.
 */
function thresholdBin(histogram: Histogram, share: number): number {
  let bin = 1
  while (bin < BIN_COUNT - 1 && histogram.atLeast(bin) > share * histogram.total) bin += 1
  if (histogram.atLeast(bin) === 0) return bin
  while (histogram.units(bin) === 0) bin += 1
  return bin
}

/** Number, mean and variance of the excesses over the lower edge of a bin, each taken at the middle of its bin. */
function excesses(
  histogram: Histogram,
  from: number,
): { readonly units: number; readonly mean: number; readonly variance: number } {
  const units = histogram.atLeast(from)
  if (units <= 0) return { units: 0, mean: 0, variance: 0 }
  let sum = 0
  let squares = 0
  for (let bin = from; bin < BIN_COUNT; bin++) {
    const count = histogram.units(bin)
    if (count === 0) continue
    const excess = (bin - from + 0.5) / BINS_PER_NAT
    sum += count * excess
    squares += count * excess * excess
  }
  const mean = sum / units
  return { units, mean, variance: Math.max(0, squares / units - mean * mean) }
}

/** p while there are fewer than 500 units to calibrate by: ten times the raw one. Such a p must not trigger a response. */
export const uncalibratedP = (p: number): number => (p < 0.1 ? Math.max(LEAST_CALIBRATED_P, 10 * p) : 1)

/** The first histogram, from fine stratum to whole estate, with enough units; else the last, the coarsest. */
export function finestWithEnough(fineToCoarse: Iterable<Histogram>, leastUnits = 2000): Histogram {
  let coarsest = new Histogram()
  for (const histogram of fineToCoarse) {
    if (histogram.total >= leastUnits) return histogram
    coarsest = histogram
  }
  return coarsest
}

import { LEAST_P } from './counts.ts'
import { incompleteBeta } from './special-functions.ts'

/**
 * How surprising a value is, from how often values were seen (detection-notes §2): a Pitman–Yor process with a Good–Turing
 * discount. Presence counts are distinct hours, so volume cannot buy normality.
 */
export interface PresenceSummary {
  /** Σ n_v. */
  readonly N: number
  /** Values with n_v > ½, and those of them with n_v < 1.5. */
  readonly K: number
  readonly H1: number
  /** Discount d, concentration α. */
  readonly d: number
  readonly alpha: number
  /** Σ δ_v: what the discount takes from the known values, in hours. */
  readonly deltaSum: number
  /** Mass of everything unseen, (α + Σδ_v)/(N + α). */
  readonly M: number
}

const KAPPA = 5
const D0 = 0.2
const MOST_DISCOUNT = 0.9
/** At or below half an hour of decayed presence a value is dormant: unseen again. */
const DORMANT = 0.5

/**
 * d = clip((H₁ + κd₀)/(K + κ), 0, 0.9); α = 1 + 9·max(0, 1 − N/200); M = (α + Σδ_v)/(N + α). One pass over the presences;
 * invalid ones count as 0.
 */
export function summarise(presences: Iterable<number>): PresenceSummary {
  let N = 0
  let K = 0
  let H1 = 0
  let dormant = 0
  let large = 0
  // δ needs d, which is known only at the end; but only presences below 1.8 can have n/2 < d.
  const small: number[] = []
  for (const n of presences) {
    if (!(n > 0) || n === Number.POSITIVE_INFINITY) continue
    N += n
    if (n <= DORMANT) {
      dormant += n
      continue
    }
    K += 1
    if (n < 1.5) H1 += 1
    if (n < 2 * MOST_DISCOUNT) small.push(n)
    else large += 1
  }
  const d = Math.min(MOST_DISCOUNT, (H1 + KAPPA * D0) / (K + KAPPA))
  const alpha = 1 + 9 * Math.max(0, 1 - N / 200)
  let deltaSum = dormant + large * d
  for (const n of small) deltaSum += discount(n, d)
  return { N, K, H1, d, alpha, deltaSum, M: Math.min(1, (alpha + deltaSum) / (N + alpha)) }
}

/** δ_v = min(d, n_v/2); all of a dormant value, because its return is charged as something unseen: so Σπ + M = 1. */
export function discount(presence: number, d: number): number {
  return presence <= DORMANT ? presence : Math.min(d, presence / 2)
}

/** Probability mass π_v of a seen value: (n_v − δ_v)/(N + α); 0 when dormant. */
export const seenMass = (summary: PresenceSummary, presence: number): number =>
  (presence - discount(presence, summary.d)) / (summary.N + summary.alpha)

/**
 * p of a seen value: M + Σ_{π_u < π_v} π_u + ½ Σ_{π_u = π_v} π_u. `presences` includes its own. M for a dormant one: it is
 * unseen again, and its p is M·T.
 */
export function seenP(summary: PresenceSummary, presences: Iterable<number>, presence: number): number {
  let p = summary.M
  for (const n of presences) {
    // π rises strictly with n.
    if (!(n > DORMANT) || n > presence || n === Number.POSITIVE_INFINITY) continue
    p += n === presence ? 0.5 * seenMass(summary, n) : seenMass(summary, n)
  }
  return Math.min(1, p)
}

const A = 2
const ROOT = 0.5

/**
 * T from one estate-wide usage count, O(1) (§13 lesson 12: one count is enough, where §2 has levels of
 * peers): (users + a·½)/(others/10 + a), at most 1. The p of an unseen value is M·T.
 * A value that a tenth of the other identities use is no surprise; one that nobody uses tends to 0 as the estate grows.
 * Increasing in `identitiesUsing`; ½ when there are no others.
 */
export function usageBackoff(input: {
  readonly identitiesUsing: number
  readonly identitiesInLevel: number
}): number {
  return Math.min(1, (input.identitiesUsing + A * ROOT) / (input.identitiesInLevel / 10 + A))
}

/** M measured in time (§13 lesson 13): (units that brought a new value + ½)/(units + 25). */
export const burstM = (input: { readonly novelUnits: number; readonly units: number }): number =>
  (input.novelUnits + 0.5) / (input.units + 25)

/**
 * A unit with m distinct values, k of them unseen: p_a = 1 − (1 − min p)^m, p_b = I_M(k, m − k + 1) (1 if k = 0),
 * p = min(1, 2·min(p_a, p_b)). Several small novelties together are reconnaissance.
 */
export function windowP(input: WindowInput): number {
  const { rarest, several } = windowParts(input)
  // Hundreds of new values at once round to 0, whose logarithm no alert could carry.
  return Math.max(LEAST_P, Math.min(1, 2 * Math.min(rarest, several)))
}

export interface WindowInput {
  /** Distinct values in the unit, at least 1. */
  readonly m: number
  /** Unseen ones not yet charged. */
  readonly k: number
  /** Probability that a value is unseen. */
  readonly M: number
  /** p of the rarest value alone. */
  readonly minP: number
}

/** The halves of `windowP`: p_a, the rarest value among m, and p_b, so many unseen at once. */
export function windowParts({ m, k, M, minP }: WindowInput): {
  readonly rarest: number
  readonly several: number
} {
  const values = Math.max(1, m)
  const unseen = Math.min(k, values)
  return {
    rarest: -Math.expm1(values * Math.log1p(-Math.min(Math.max(0, minP), 1 - 1e-12))),
    several: unseen > 0 ? incompleteBeta(M, unseen, values - unseen + 1) : 1,
  }
}

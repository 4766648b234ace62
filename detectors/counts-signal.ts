import { negativeBinomialUpperMidP, sizeFromMoments } from '../features/counts.ts'
import type { SignalDraft, Subject } from './detector.ts'

/** A count far above what this identity does in an active hour (negative binomial, detection-notes §3 and §13.16). */
export function unusualCount(
  subject: Subject,
  options: {
    readonly noun: string
    readonly count: number
    readonly mean: number
    readonly sum: number
    readonly sumSquares: number
    /** Counts below this are never remarkable. */
    readonly atLeast: number
    readonly expectation: string
  },
): SignalDraft | null {
  const { count, mean, noun } = options
  if (!subject.mature || count < options.atLeast || count <= mean) return null
  const size = sizeFromMoments({
    units: subject.state.moments.units,
    sum: options.sum,
    sumSquares: options.sumSquares,
  })
  const p = negativeBinomialUpperMidP({ count, mean, size })
  if (p >= 0.5) return null
  const expected = mean < 10 ? Number(mean.toFixed(1)) : Math.round(mean)
  return {
    // Without a cap, so that the alert tells the burst at its height; that a volume proves little is the matter of `leastP`.
    score: -Math.log(p),
    value: '',
    observed: { [noun]: count },
    expected: { [noun]: expected, active_hours: subject.state.closedUnits },
    text: `${count} ${noun} in one hour, where ${expected} are usual ${options.expectation} (${subject.state.closedUnits} active hours).`,
  }
}

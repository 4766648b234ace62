/**
 * Tells a partition that has fallen silent from one that is slow by nature: silence must not read as quiet. A partition is
 * silent when nothing has come for three times its longest pause so far, and for ten minutes at least; who was never heard
 * often enough has no habit to break.
 */
const LEAST_ARRIVALS = 20
const TIMES_LONGEST = 3
const LEAST_MS = 600_000
/** The longest pause is forgotten slowly, so that one outage does not excuse the next for ever. */
const FADING = 0.999

export class Hearing {
  #arrivals = 0
  #last = 0
  #longest = 0

  /** Something came at this time (monotonic milliseconds). */
  heard(now: number): void {
    if (this.#arrivals > 0) this.#longest = Math.max(this.#longest * FADING, now - this.#last)
    this.#arrivals += 1
    this.#last = now
  }

  /** For how long it has been silent, milliseconds; 0 when that is nothing unusual. */
  silence(now: number): number {
    if (this.#arrivals < LEAST_ARRIVALS) return 0
    const pause = now - this.#last
    return pause > Math.max(LEAST_MS, TIMES_LONGEST * this.#longest) ? pause : 0
  }
}

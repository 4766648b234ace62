/**
 * Which activities this process has taken, by event time: the recent past in memory, exactly; everything older is asked
 * of the store. So duplicates are exact at any distance, and memory is bounded.
 */
export class SeenWindow {
  readonly #hours = new Map<number, Set<string>>()
  readonly #capacity: number
  #size = 0
  /** From this event time on (ms), memory knows every stored activity. */
  #coveredFrom: number

  /** `storedUntil`: largest event time in the store when the process started; nothing after it is stored yet. */
  constructor(options: { readonly capacity: number; readonly storedUntil: number }) {
    this.#capacity = options.capacity
    this.#coveredFrom = options.storedUntil + 1
  }

  /**
   * `seen` and `new` are certain; `unknown` must be asked of the store. Does not remember: `add` does, once the caller
   * has decided to take the activity.
   */
  ask(uid: string, time: number): 'seen' | 'new' | 'unknown' {
    if (this.#hours.get(hourOf(time))?.has(uid) === true) return 'seen'
    return time >= this.#coveredFrom ? 'new' : 'unknown'
  }

  add(uid: string, time: number): void {
    const hour = hourOf(time)
    let uids = this.#hours.get(hour)
    if (uids === undefined) {
      uids = new Set()
      this.#hours.set(hour, uids)
    }
    const before = uids.size
    uids.add(uid)
    this.#size += uids.size - before
  }

  /** Forgets the oldest hours beyond capacity. Call between batches: what is forgotten must be durable. */
  trim(): void {
    if (this.#size <= this.#capacity) return
    for (const hour of [...this.#hours.keys()].sort((a, b) => a - b)) {
      if (this.#size <= this.#capacity) break
      this.#size -= this.#hours.get(hour)?.size ?? 0
      this.#hours.delete(hour)
      this.#coveredFrom = Math.max(this.#coveredFrom, (hour + 1) * 3_600_000)
    }
  }
}

const hourOf = (time: number): number => Math.floor(time / 3_600_000)

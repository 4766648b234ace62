import type { TopicPartition } from '../ingest/broker.ts'
import { OUTCOME } from './pipeline.ts'

/**
 * The books of one partition: every record that was fetched is scored, filtered, a duplicate, dead, given back to the broker
 * (a rebalance, a stop) or in flight. `fetched` is counted where messages are read, the outcomes where batches become
 * durable, and what is in flight by looking at the queues: three witnesses that must agree.
 */
export class PartitionBooks {
  readonly place: TopicPartition
  fetched = 0
  scored = 0
  filtered = 0
  duplicate = 0
  dead = 0
  returned = 0
  /** Records that a batch gave no outcome: a bug of ours. */
  unaccounted = 0
  readonly #inFlight: () => number

  constructor(place: TopicPartition, inFlight: () => number) {
    this.place = place
    this.#inFlight = inFlight
  }

  settle(outcome: number): void {
    switch (outcome) {
      case OUTCOME.scored:
        this.scored += 1
        break
      case OUTCOME.filtered:
        this.filtered += 1
        break
      case OUTCOME.duplicate:
        this.duplicate += 1
        break
      case OUTCOME.dead:
        this.dead += 1
        break
      default:
        this.unaccounted += 1
    }
  }

  /** Takes over the counts of books that are closed. */
  add(other: PartitionBooks): void {
    this.fetched += other.fetched
    this.scored += other.scored
    this.filtered += other.filtered
    this.duplicate += other.duplicate
    this.dead += other.dead
    this.returned += other.returned
    this.unaccounted += other.unaccounted
  }

  get inFlight(): number {
    return this.#inFlight()
  }

  /** Records that are missing (positive) or counted twice (negative); 0 when the books balance. */
  get imbalance(): number {
    const { fetched, scored, filtered, duplicate, dead, returned } = this
    return fetched - scored - filtered - duplicate - dead - returned - this.inFlight
  }
}

/** Tells a broken record from a broken producer: stops when too many in a row, or too large a share, cannot be read. */
export class PoisonGuard {
  readonly #limits: PoisonLimits
  #run = 0
  #seen = 0
  #dead = 0

  constructor(limits: PoisonLimits) {
    this.#limits = limits
  }

  /** True when this record makes it a flood. */
  count(isDead: boolean): boolean {
    this.#seen += 1
    if (!isDead) {
      this.#run = 0
    } else {
      this.#run += 1
      this.#dead += 1
    }
    const { run, share, window } = this.#limits
    const flood = this.#run >= run || (this.#seen >= window && this.#dead > share * this.#seen)
    if (this.#seen >= window * 2) {
      this.#seen /= 2
      this.#dead /= 2
    }
    return flood
  }
}

export interface PoisonLimits {
  /** Dead records in a row. */
  readonly run: number
  /** Share of dead records among the latest. */
  readonly share: number
  /** How many the share is taken of. */
  readonly window: number
}

import type { IdentityState } from '../features/identity-state.ts'
import type { SettledUnit } from '../features/rows.ts'
import type { Alert } from './alert.ts'
import type { UnitVerdict } from './verdict.ts'

/** An identity in memory: its habit, what is thought of its open hours, and its recent alerts. */
export interface Resident {
  readonly state: IdentityState
  readonly verdicts: Map<number, UnitVerdict>
  /** Alerts by day number; only recent days are kept. */
  readonly alerts: Map<number, Alert>
  /** Closed units that are being replayed from the store, by hour: they close again as they did. */
  readonly settled: Map<number, SettledUnit>
  /** Hour of the latest alert, −1 when none: promotion of held values waits for quiet. */
  lastAlertHour: number
}

/**
 * The bounded set of identities in memory, least recently used first out. Which identities exist at all is remembered by
 * `known`, so that a newcomer costs no query.
 */
export class Residents {
  readonly #byId = new Map<string, Resident>()
  readonly #capacity: number

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get size(): number {
    return this.#byId.size
  }

  get(id: string): Resident | undefined {
    return this.#byId.get(id)
  }

  /** Marks as used in this batch: moves it to the young end. */
  touch(resident: Resident): void {
    const { id } = resident.state
    this.#byId.delete(id)
    this.#byId.set(id, resident)
  }

  add(resident: Resident): void {
    this.#byId.set(resident.state.id, resident)
  }

  remove(id: string): void {
    this.#byId.delete(id)
  }

  /** Takes out the oldest beyond capacity; the caller writes what they still hold. */
  evict(): Resident[] {
    const out: Resident[] = []
    for (const [id, resident] of this.#byId) {
      if (this.#byId.size <= this.#capacity) break
      this.#byId.delete(id)
      out.push(resident)
    }
    return out
  }

  all(): IterableIterator<Resident> {
    return this.#byId.values()
  }
}

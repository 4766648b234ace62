import type { Activity } from '../ingest/activity.ts'
import { hourOf } from './feature.ts'
import type { StoredCredential } from './rows.ts'

/** One place where a credential was used, with the first and last event time there. */
export interface CredentialUse {
  readonly address: string
  readonly network: string
  first: number
  last: number
}

/** What the use of a credential looked like to the one who keeps count. */
export interface CredentialSighting {
  /** The credential was not seen within the last 48 h. */
  readonly begun: boolean
  /** This is its first use from this address. */
  readonly arrived: boolean
  /** All its places, oldest first, `here` included. */
  readonly uses: readonly CredentialUse[]
  readonly here: CredentialUse
}

const CREDENTIALS_KEPT = 64
const USES_KEPT = 16
const MEMORY_HOURS = 48

/**
 * Where the recent credentials of one identity were used: what happened before the 48 clock hours up to the activity at hand
 * is forgotten, because the store answers that far back; a longer memory would count sessions differently after a restart.
 */
export class CredentialUses {
  readonly #uses = new Map<string, CredentialUse[]>()

  get size(): number {
    return this.#uses.size
  }

  /** Null when the activity has no credential or no address. */
  observe(activity: Activity): CredentialSighting | null {
    const { credential, origin, time } = activity
    if (credential === '' || origin.address === '') return null
    const since = (hourOf(time) - MEMORY_HOURS) * 3_600_000
    const known = this.#uses.get(credential)
    const uses = known === undefined ? [] : withoutOld(known, since)
    const begun = uses.length === 0
    // Seen last is kept longest.
    if (known === undefined) this.#makeRoom()
    else this.#uses.delete(credential)
    this.#uses.set(credential, uses)
    for (const use of uses) {
      if (use.address !== origin.address) continue
      if (time > use.last) use.last = time
      if (time < use.first) use.first = time
      return { begun, arrived: false, uses, here: use }
    }
    const here = { address: origin.address, network: origin.network, first: time, last: time }
    const room = uses.length < USES_KEPT
    if (room) uses.push(here)
    return { begun, arrived: room, uses, here }
  }

  #makeRoom(): void {
    for (const credential of this.#uses.keys()) {
      if (this.#uses.size < CREDENTIALS_KEPT) break
      this.#uses.delete(credential)
    }
  }

  /** `stored`: latest first. */
  load(stored: readonly StoredCredential[]): void {
    for (const { credential, uses } of [...stored].reverse())
      this.#uses.set(
        credential,
        uses.map((use) => ({ ...use })),
      )
  }

  entries(): IterableIterator<[string, readonly CredentialUse[]]> {
    return this.#uses.entries()
  }
}

function withoutOld(uses: CredentialUse[], since: number): CredentialUse[] {
  for (const use of uses) if (use.last < since) return uses.filter((u) => u.last >= since)
  return uses
}

import type { Activity, Identity } from './activity.ts'

/**
 * Who used a token before it died. A log of a dead token (Vault after a revocation, an expiry) names no entity any more,
 * only the token's hash; without this the very events that prove that a stolen token is still being tried belong to nobody.
 *
 * Apply in event order: `resolve`, then `observe` what it returned. The uid is not touched, so that a replay with a colder
 * memory still writes the same event; after a restart call `load` first, or that event's row would name another identity.
 */
export interface Attribution {
  /** Learns who uses the token of this activity, if it says both. */
  readonly observe: (activity: Activity) => void
  /** The activity with the identity (and, where it names none, the credential) that last used its token; else itself. */
  readonly resolve: (activity: Activity) => Activity
  /** Learns what a store remembers, oldest first. */
  readonly load: (entries: Iterable<AttributionEntry>) => void
  readonly size: () => number
}

export interface AttributionEntry {
  readonly source: string
  /** `details.tokenHash` of the activities. */
  readonly tokenHash: string
  readonly identity: Identity
  /** Id of the credential (the token's accessor), or ''. */
  readonly credential: string
}

interface Owner {
  readonly identity: Identity
  readonly credential: string
}

/** `capacity`: tokens remembered; beyond it the one unused for longest is forgotten. */
export function createAttribution({ capacity }: { readonly capacity: number }): Attribution {
  const owners = new Map<string, Owner>()

  function learn(key: string, owner: Owner): void {
    // A Map iterates in order of insertion: taken out and put back, the entry is the youngest.
    owners.delete(key)
    owners.set(key, owner)
    if (owners.size <= capacity) return
    const oldest = owners.keys().next()
    if (!oldest.done) owners.delete(oldest.value)
  }

  return {
    observe(activity) {
      if (isNobody(activity.identity)) return
      const issued = activity.details.issuedTokenHash
      // A token made for oneself belongs to its maker even if it is revoked before it is ever used.
      if (issued !== undefined && issued !== '' && activity.details.issuedTo === activity.identity.id)
        learn(`${activity.source}\n${issued}`, { identity: activity.identity, credential: '' })
      const key = keyOf(activity)
      if (key === '') return
      const known = owners.get(key)
      const same = known !== undefined && known.identity.id === activity.identity.id
      // A line that leaves the credential out must not make us forget it.
      const credential = activity.credential || (same ? known.credential : '')
      learn(key, { identity: activity.identity, credential })
    },
    resolve(activity) {
      if (!isNobody(activity.identity)) return activity
      const key = keyOf(activity)
      const owner = key === '' ? undefined : owners.get(key)
      if (owner === undefined) return activity
      return { ...activity, identity: owner.identity, credential: activity.credential || owner.credential }
    },
    load(entries) {
      for (const { source, tokenHash, identity, credential } of entries) {
        if (tokenHash !== '' && !isNobody(identity))
          learn(`${source}\n${tokenHash}`, { identity, credential })
      }
    },
    size: () => owners.size,
  }
}

/** Hashes are salted per log, so a token's hash means something within its source only. */
function keyOf(activity: Activity): string {
  const hash = activity.details.tokenHash
  return hash === undefined || hash === '' ? '' : `${activity.source}\n${hash}`
}

function isNobody(identity: Identity): boolean {
  return identity.kind === 'unknown'
}

import type { Activity, Identity, Kind } from '../ingest/activity.ts'
import type { FeatureId } from './feature.ts'

/**
 * What crosses identities: how many others use a value, where the nodes of a cluster live.
 * Bounded by the number of distinct values, not of events. It is rebuilt from ClickHouse when a process starts.
 */
export class Estate {
  readonly #usage = new Map<string, number>()
  readonly #identities = new Map<Kind, number>()
  /** The same of the identities that other processes answer for. */
  #usageElsewhere: ReadonlyMap<string, number> = new Map()
  #identitiesElsewhere: ReadonlyMap<Kind, number> = new Map()
  readonly #nodeAddresses = new Map<string, Set<string>>()
  readonly #addressUsers = new Map<string, Set<string>>()

  /** An identity showed a value for the first time in its life. */
  countUse(feature: FeatureId, value: string): void {
    if (!SHARED.has(feature)) return
    const key = `${feature}\0${value}`
    const users = this.#usage.get(key)
    if (users !== undefined) this.#usage.set(key, users + 1)
    else if (this.#usage.size < VALUES_KEPT) this.#usage.set(key, 1)
  }

  /** How many identities ever showed the value. */
  usersOf(feature: FeatureId, value: string): number {
    const key = `${feature}\0${value}`
    return (this.#usage.get(key) ?? 0) + (this.#usageElsewhere.get(key) ?? 0)
  }

  /** What is known of the identities that other processes answer for; replaces what was. */
  elsewhere({ usage, identities }: EstateElsewhere): void {
    this.#usageElsewhere = new Map(usage.map((u) => [`${u.feature}\0${u.value}`, u.identities]))
    this.#identitiesElsewhere = new Map(identities.map((i) => [i.kind, i.identities]))
  }

  loadUse(feature: FeatureId, value: string, identities: number): void {
    if (SHARED.has(feature) && this.#usage.size < VALUES_KEPT)
      this.#usage.set(`${feature}\0${value}`, identities)
  }

  countIdentity(kind: Kind, count = 1): void {
    this.#identities.set(kind, (this.#identities.get(kind) ?? 0) + count)
  }

  identitiesOf(kind: Kind): number {
    return (this.#identities.get(kind) ?? 0) + (this.#identitiesElsewhere.get(kind) ?? 0)
  }

  /** Keeps the addresses of nodes, and who else uses an address (a shared egress proves nothing about a credential). */
  observeAddress(activity: Activity): void {
    if (activity.kind === 'kubernetes' && activity.origin.address !== '')
      this.loadAddress(activity.identity, activity.origin.address)
  }

  loadAddress(identity: Pick<Identity, 'id' | 'kind' | 'tenant'>, address: string): void {
    if (identity.kind === 'node') addTo(this.#nodeAddresses, identity.id, address)
    addTo(this.#addressUsers, `${identity.tenant}\0${address}`, identity.id)
  }

  /** Addresses a node identity has called from; undefined when the node was never seen. */
  addressesOfNode(nodeIdentity: string): ReadonlySet<string> | undefined {
    return this.#nodeAddresses.get(nodeIdentity)
  }

  /** How many identities of a cluster have called from the address (saturates). */
  usersOfAddress(tenant: string, address: string): number {
    return this.#addressUsers.get(`${tenant}\0${address}`)?.size ?? 0
  }
}

export interface EstateElsewhere {
  readonly usage: readonly {
    readonly feature: FeatureId
    readonly value: string
    readonly identities: number
  }[]
  readonly identities: readonly { readonly kind: Kind; readonly identities: number }[]
}

const VALUES_KEPT = 200_000
const SET_LIMIT = 64

function addTo(map: Map<string, Set<string>>, key: string, member: string): void {
  const set = map.get(key)
  if (set !== undefined) {
    if (set.size < SET_LIMIT) set.add(member)
  } else if (map.size < VALUES_KEPT) map.set(key, new Set([member]))
}

/** Features whose use by others says something; credentials and addresses belong to one identity by nature. */
export const SHARED: ReadonlySet<FeatureId> = new Set<FeatureId>([
  'category',
  'action',
  'service',
  'resource_class',
  'user_agent',
  'auth_method',
  'region',
  'country',
  'network',
])

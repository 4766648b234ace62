import { dayOf, type FeatureId, hourOf } from '../features/feature.ts'
import type { Kind } from '../ingest/activity.ts'
import { type Alert, alertUid, type Cause, type Change, joinCause, larger } from './alert.ts'
import type { Subject } from './detector.ts'

/**
 * Deployments and campaigns: when at least three identities and 30 % of a peer group newly show the same value within
 * 24 h, it is told once, as one group incident with its members (detection-notes §6), instead of once per identity.
 * Peers are identities of the same kind of log, provider, tenant and identity kind.
 */
const WINDOW_HOURS = 24
const LEAST_MEMBERS = 3
const LEAST_SHARE = 0.3
const TRACKED = 20_000

interface Newcomers {
  hour: number
  readonly members: Map<string, number>
  alert: Alert | null
}

export class Groups {
  readonly #sizes = new Map<string, number>()
  readonly #newcomers = new Map<string, Newcomers>()
  /** Tells apart the incidents of one group that several partitions see parts of. */
  readonly #suffix: string

  /** `scope`: name of the part of the estate whose identities it sees, '' for all. */
  constructor(scope = '') {
    this.#suffix = scope === '' ? '' : `#${scope}`
  }

  /** An identity exists: it counts towards the size of its peer group. */
  countMember(group: string, count = 1): void {
    this.#sizes.set(group, (this.#sizes.get(group) ?? 0) + count)
  }

  /** A settled identity showed a value for the first time. */
  observe(group: string, feature: FeatureId, value: string, identity: string, hour: number): void {
    const key = `${group}\0${feature}\0${value}`
    let newcomers = this.#newcomers.get(key)
    if (newcomers === undefined) {
      if (this.#newcomers.size >= TRACKED) this.#forget()
      newcomers = { hour, members: new Map(), alert: null }
      this.#newcomers.set(key, newcomers)
    }
    newcomers.hour = Math.max(newcomers.hour, hour)
    // The next wave is an incident of its own.
    if (newcomers.alert !== null && hourOf(newcomers.alert.lastTime) < newcomers.hour - WINDOW_HOURS)
      newcomers.alert = null
    if (!newcomers.members.has(identity)) newcomers.members.set(identity, hour)
    for (const [member, since] of newcomers.members)
      if (since < newcomers.hour - WINDOW_HOURS) newcomers.members.delete(member)
  }

  /** Group incidents of the last days, read back from the store, so that a restart goes on with them. */
  load(alert: Alert): void {
    const group = alert.identity.id.slice('group:'.length, alert.identity.id.length - this.#suffix.length)
    const value = alert.causes[0]?.value ?? ''
    for (const feature of GROUPED) {
      const newcomers = this.#newcomers.get(`${group}\0${feature}\0${value}`)
      if (newcomers !== undefined) newcomers.alert = alert
    }
  }

  #forget(): void {
    let excess = this.#newcomers.size - TRACKED / 2
    for (const key of this.#newcomers.keys()) {
      if (excess-- <= 0) break
      this.#newcomers.delete(key)
    }
  }

  /**
   * The group incident that explains all causes of a would-be alert, or null when at least one cause is the identity's own.
   * The unusual values of a child that go beyond the group's keep their own alert.
   */
  groupOf(
    subject: Subject,
    causes: readonly Cause[],
  ): { readonly alert: Alert; readonly fresh: boolean; readonly change: Change } | null {
    const { activity, state } = subject
    const group = peerGroupOf(activity.kind, state.identity)
    const size = this.#sizes.get(group) ?? 0
    let found: { readonly newcomers: Newcomers; readonly cause: Cause } | null = null
    for (const cause of causes) {
      if (cause.value === '') return null
      const newcomers = this.#sharedBy(group, cause.value, size)
      if (newcomers === null) return null
      found ??= { newcomers, cause }
    }
    if (found === null) return null
    const { newcomers, cause } = found
    const fresh = newcomers.alert === null
    newcomers.alert ??= open(subject, `${group}${this.#suffix}`, cause)
    const { alert } = newcomers
    let change: Change = fresh ? 'noticeable' : 'none'
    for (const member of newcomers.members.keys())
      if (!alert.members.includes(member) && alert.members.length < 100) {
        alert.members.push(member)
        change = 'noticeable'
      }
    for (const c of causes) change = larger(change, joinCause(alert, { ...c, evidence: [...c.evidence] }))
    return { alert, fresh, change }
  }

  #sharedBy(group: string, value: string, size: number): Newcomers | null {
    for (const feature of GROUPED) {
      const newcomers = this.#newcomers.get(`${group}\0${feature}\0${value}`)
      if (newcomers === undefined) continue
      const { members } = newcomers
      if (members.size >= LEAST_MEMBERS && members.size >= LEAST_SHARE * size) return newcomers
    }
    return null
  }
}

/** Features whose shared novelty means a deployment; a shared new credential or address would be an incident of its own. */
export const GROUPED: readonly FeatureId[] = [
  'action',
  'service',
  'resource_class',
  'user_agent',
  'region',
  'network',
]

export const peerGroupOf = (
  kind: Kind,
  identity: { readonly provider: string; readonly tenant: string; readonly kind: string },
): string => `${kind}/${identity.provider}/${identity.tenant}/${identity.kind}`

function open(subject: Subject, group: string, cause: Cause): Alert {
  const { activity, state } = subject
  const day = dayOf(hourOf(activity.time))
  return {
    uid: alertUid(`group\0${group}\0${cause.value}`, day),
    kind: 'group',
    identity: { ...state.identity, id: `group:${group}`, humanReason: 'a peer group' },
    source: activity.source,
    logKind: activity.kind,
    day,
    firstTime: activity.time,
    lastTime: activity.time,
    raisedTime: activity.time,
    causes: [],
    artefacts: [],
    crossings: [],
    p: 1,
    severity: 'low',
    confidence: 0.5,
    unitsPerDay: 0,
    calibration: { units: 0, state: 'calibrated' },
    support: { hours: 0, days: 0, full: [] },
    group: '',
    members: [],
    version: 0,
  }
}

/// <reference lib="es2024.string" />
import { createHash } from 'node:crypto'
import type { Activity, Draft, Identity, Issuance } from './activity.ts'
import type { Origins } from './origin.ts'
import type { Source } from './source.ts'
import { userAgentFamily } from './user-agent.ts'

/**
 * The last step of reading a record: a source's Draft becomes an Activity. Absent fields become '' and 0, the origin is
 * located, the uid is qualified, and every text is made safe to store: bounded in length, well-formed, without NUL.
 * Nothing is lower-cased: names in logs are case-sensitive, and two principals may differ by case alone.
 */
export type Normalise = (draft: Draft, source: Pick<Source, 'id' | 'kind'>, tenant: string) => Activity

/** Most characters (UTF-16 units) of a text by what it is. */
export const LONGEST = { id: 512, name: 256, userAgent: 512, resource: 512, detail: 512 } as const
export const MOST_RESOURCES = 8
const MOST_DETAILS = 32

/** An event this far ahead of its arrival is the producer's clock, not the future. */
const SKEW_ALLOWED_MS = 10 * 60_000

const NONE: readonly string[] = Object.freeze([])
const NO_DETAILS: Readonly<Record<string, string>> = Object.freeze({})
const NO_ISSUANCE: Issuance = Object.freeze({})

/**
 * Is the event time more than ten minutes ahead of the arrival (both epoch ms)? Then the producer's clock is wrong, and
 * the event must not move a baseline into the future.
 */
export function isFuture(time: number, arrival: number): boolean {
  return time - arrival > SKEW_ALLOWED_MS
}

/**
 * Makes the normaliser. `tenant` is the stream's own name (cluster, host) for identities that carry no tenant: uids of
 * two clusters must not meet. The result is pure but for the cache of `origins`.
 */
export function createNormaliser({ origins }: { readonly origins: Origins }): Normalise {
  return function normalise(draft, source, tenant) {
    const identity = safeIdentity(draft.identity)
    const userAgent = text(draft.userAgent, LONGEST.userAgent)
    // One literal with one order of keys: every Activity has the same hidden class, which keeps all later stages fast.
    return {
      uid: `${source.id}:${identity.tenant || text(tenant, LONGEST.name)}:${id(draft.eventId)}`,
      time: draft.time,
      source: source.id,
      kind: source.kind,
      class: draft.class,
      identity,
      action: text(draft.action, LONGEST.name),
      service: text(draft.service, LONGEST.name),
      accessLevel: draft.accessLevel,
      effect: draft.effect ?? '',
      resourceClass: text(draft.resourceClass, LONGEST.name),
      resources: safeResources(draft.resources),
      outcome: draft.outcome,
      errorCode: text(draft.errorCode, LONGEST.name),
      credential: id(draft.credential),
      authMethod: text(draft.authMethod, LONGEST.name),
      session: id(draft.session),
      issuance: safeIssuance(draft.issuance),
      origin: origins.locate(draft.origin),
      userAgent,
      userAgentFamily: userAgent === '' ? '' : userAgentFamily(userAgent),
      region: text(draft.region, LONGEST.name),
      requestId: id(draft.requestId),
      actingAs: id(draft.actingAs),
      bytesOut: count(draft.bytesOut),
      details: safeDetails(draft.details),
    }
  }
}

/** NUL ends a string in too many programs, and a lone surrogate cannot be written as UTF-8: neither survives a store. */
function isSafe(value: string): boolean {
  return value.isWellFormed() && !value.includes('\0')
}

/** Replaced and not removed, so that `admin` and `admin\0` stay two names. */
function repaired(value: string): string {
  return value.toWellFormed().replaceAll('\0', '\ufffd')
}

function text(value: string | undefined, longest: number): string {
  if (value === undefined || value === '') return ''
  if (value.length <= longest && isSafe(value)) return value
  return repaired(value.slice(0, longest))
}

/**
 * A text that names one thing. What must be shortened or repaired keeps a hash of the whole: otherwise an attacker could
 * choose a name that, cut, is another's (a uid that hides an event as a duplicate, an identity that spoils a baseline).
 */
function id(value: string | undefined): string {
  if (value === undefined || value === '') return ''
  if (value.length <= LONGEST.id && isSafe(value)) return value
  const hash = createHash('sha256').update(Buffer.from(value, 'utf16le')).digest('hex').slice(0, 32)
  return `${repaired(value.slice(0, LONGEST.id - 33))}~${hash}`
}

function count(value: number | undefined): number {
  return value !== undefined && value > 0 && value <= Number.MAX_SAFE_INTEGER ? Math.floor(value) : 0
}

/** The same object where nothing was wrong, which is nearly always. */
function safeIdentity(identity: Identity): Identity {
  const name = id(identity.id)
  const provider = text(identity.provider, LONGEST.name)
  const tenant = id(identity.tenant)
  const humanReason = text(identity.humanReason, LONGEST.name)
  if (
    name === identity.id &&
    provider === identity.provider &&
    tenant === identity.tenant &&
    humanReason === identity.humanReason
  ) {
    return identity
  }
  return { id: name, kind: identity.kind, provider, tenant, human: identity.human, humanReason }
}

function safeResources(resources: readonly string[] | undefined): readonly string[] {
  if (resources === undefined || resources.length === 0) return NONE
  if (resources.length <= MOST_RESOURCES && resources.every(isSafeResource)) return resources
  return resources.slice(0, MOST_RESOURCES).map((resource) => text(resource, LONGEST.resource))
}

function isSafeResource(resource: string): boolean {
  return resource.length <= LONGEST.resource && isSafe(resource)
}

function safeIssuance(issuance: Issuance | undefined): Issuance {
  if (issuance === undefined) return NO_ISSUANCE
  const { workload, workloadUid, node } = issuance
  if (
    id(workload) === (workload ?? '') &&
    id(workloadUid) === (workloadUid ?? '') &&
    id(node) === (node ?? '')
  ) {
    return issuance
  }
  return {
    ...(workload === undefined ? {} : { workload: id(workload) }),
    ...(workloadUid === undefined ? {} : { workloadUid: id(workloadUid) }),
    ...(node === undefined ? {} : { node: id(node) }),
  }
}

function safeDetails(
  details: Readonly<Record<string, string>> | undefined,
): Readonly<Record<string, string>> {
  if (details === undefined) return NO_DETAILS
  const names = Object.keys(details)
  if (names.length === 0) return NO_DETAILS
  if (names.length <= MOST_DETAILS && names.every((name) => isSafeDetail(name, details[name]))) return details
  // Built from entries: assigning to an untrusted name such as `__proto__` would set the prototype.
  return Object.fromEntries(
    names
      .slice(0, MOST_DETAILS)
      .map((name) => [text(name, LONGEST.name), text(details[name], LONGEST.detail)] as const),
  )
}

function isSafeDetail(name: string, value: string | undefined): boolean {
  return (
    value !== undefined &&
    value.length <= LONGEST.detail &&
    name.length <= LONGEST.name &&
    isSafe(value) &&
    isSafe(name)
  )
}

import { createHash } from 'node:crypto'
import { z } from 'zod'
import { type Activity, IDENTITY_KINDS, KINDS } from '../ingest/activity.ts'
import { FAMILIES } from './detector.ts'

/**
 * **Alert**: what a person sees: everything unusual about one identity on one day (UTC, event time).
 * **Cause**: one detector's deviation about one value inside the alert.
 *
 * Every field joins idempotently (set union, minimum, maximum): processing an activity twice, as happens when a batch is
 * repeated after a crash, leaves the alert as it was. The uid is derived, so the same incident has the same name in
 * every run.
 */
const scalar = z.union([z.string(), z.number(), z.boolean()])

const causeSchema = z.object({
  detector: z.string(),
  title: z.string(),
  family: z.enum(FAMILIES),
  analyticType: z.enum(['rule', 'behavioral', 'statistical']),
  attacks: z.array(z.object({ tactic: z.string(), technique: z.string() })),
  value: z.string(),
  /** Calibrated p-value; 0 for a contradiction, which has no probability. */
  p: z.number(),
  /** Raw score: which of two sentences with the same (capped) p says more; 0 for a contradiction. */
  score: z.number().default(0),
  contradiction: z.boolean(),
  severity: z.enum(['low', 'medium', 'high', 'critical']),
  observed: z.record(z.string(), scalar),
  expected: z.record(z.string(), scalar),
  text: z.string(),
  evidence: z.array(z.string()),
  firstTime: z.number(),
  lastTime: z.number(),
})
export type Cause = z.infer<typeof causeSchema>

const artefactSchema = z.object({
  uid: z.string(),
  eventId: z.string(),
  time: z.number(),
  source: z.string(),
  action: z.string(),
  service: z.string(),
  outcome: z.string(),
  errorCode: z.string(),
  address: z.string(),
  country: z.string(),
  asn: z.number(),
  network: z.string(),
  userAgent: z.string(),
  credential: z.string(),
  session: z.string(),
  region: z.string(),
  resource: z.string(),
})
export type Artefact = z.infer<typeof artefactSchema>

export const alertSchema = z.object({
  uid: z.string(),
  kind: z.enum(['identity', 'group']),
  identity: z.object({
    id: z.string(),
    kind: z.enum(IDENTITY_KINDS),
    provider: z.string(),
    tenant: z.string(),
    human: z.enum(['yes', 'no', 'unknown']),
    humanReason: z.string(),
  }),
  source: z.string(),
  logKind: z.enum(KINDS),
  day: z.number(),
  firstTime: z.number(),
  lastTime: z.number(),
  /** Event time at which the alert was raised. */
  raisedTime: z.number(),
  causes: z.array(causeSchema),
  artefacts: z.array(artefactSchema),
  /** For each time that the budget was crossed: the causes without which it would not have been. */
  crossings: z.array(z.array(z.object({ detector: z.string(), value: z.string() }))).default([]),
  /** Smallest combined p of the incident, 1 when only contradictions speak. */
  p: z.number(),
  severity: z.enum(['low', 'medium', 'high', 'critical']),
  /** How much history stands behind it, 0..1 (detection-notes §7: N/(N+200)). */
  confidence: z.number(),
  unitsPerDay: z.number(),
  calibration: z.object({ units: z.number(), state: z.enum(['calibrated', 'uncalibrated']) }),
  support: z.object({
    hours: z.number(),
    days: z.number(),
    /** Features that hold as many values as are remembered: what is new in them is not told. */
    full: z.array(z.string()).default([]),
  }),
  /** uid of the group incident it belongs to, '' when none. */
  group: z.string(),
  /** Group incidents: the identities that showed the same value. */
  members: z.array(z.string()),
  version: z.number(),
})
export type Alert = z.infer<typeof alertSchema>
export type Severity = Alert['severity']

export const SEVERITIES: readonly Severity[] = ['low', 'medium', 'high', 'critical']
const EVIDENCE_KEPT = 20

/** Deterministic uid of the incident of one identity (or group) on one day, in UUID form. */
export function alertUid(subject: string, day: number): string {
  const hex = createHash('sha256').update(`plumbline-alert\0${subject}\0${day}`).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`
}

export const worse = (a: Severity, b: Severity): Severity =>
  SEVERITIES.indexOf(a) >= SEVERITIES.indexOf(b) ? a : b

/** What a join did: nothing, grew the evidence, or changed what a reader would notice (cause, p, severity). */
export type Change = 'none' | 'evidence' | 'noticeable'
const CHANGES: readonly Change[] = ['none', 'evidence', 'noticeable']
export const larger = (a: Change, b: Change): Change => (CHANGES.indexOf(a) >= CHANGES.indexOf(b) ? a : b)

/** Joins a cause into the alert: the same detector and value stay one cause. */
export function joinCause(alert: Alert, cause: Cause): Change {
  const known = alert.causes.find((c) => c.detector === cause.detector && c.value === cause.value)
  let change: Change =
    cause.firstTime < alert.firstTime || cause.lastTime > alert.lastTime ? 'evidence' : 'none'
  alert.firstTime = Math.min(alert.firstTime, cause.firstTime)
  alert.lastTime = Math.max(alert.lastTime, cause.lastTime)
  if (known === undefined) {
    alert.causes.push(cause)
    alert.severity = worse(alert.severity, cause.severity)
    return 'noticeable'
  }
  known.firstTime = Math.min(known.firstTime, cause.firstTime)
  known.lastTime = Math.max(known.lastTime, cause.lastTime)
  for (const uid of cause.evidence)
    if (known.evidence.length < EVIDENCE_KEPT && !known.evidence.includes(uid)) {
      known.evidence.push(uid)
      change = larger(change, 'evidence')
    }
  const rarer = cause.p < known.p
  const graver = worse(known.severity, cause.severity) !== known.severity
  // What was tried first and then done, or what went on growing below the cap of its p, is told as it is now.
  if (rarer || graver || (cause.p === known.p && cause.score > known.score)) {
    known.text = cause.text
    known.observed = cause.observed
    known.expected = cause.expected
    change = larger(change, rarer || graver ? 'noticeable' : 'evidence')
  }
  known.p = Math.min(known.p, cause.p)
  known.score = Math.max(known.score, cause.score)
  known.severity = worse(known.severity, cause.severity)
  alert.severity = worse(alert.severity, cause.severity)
  return change
}

/** Remembers what one crossing of the budget stood on; at most 20 different ones. */
export function joinCrossing(alert: Alert, crossing: Alert['crossings'][number]): Change {
  const same = (a: Alert['crossings'][number]): boolean =>
    a.length === crossing.length &&
    a.every((key, i) => key.detector === crossing[i]?.detector && key.value === crossing[i]?.value)
  if (alert.crossings.length >= EVIDENCE_KEPT || alert.crossings.some(same)) return 'none'
  alert.crossings.push(crossing)
  return 'evidence'
}

/** Keeps the facts of an activity that an analyst needs beside the causes; at most 20, the first ones. */
export function joinArtefact(alert: Alert, artefact: Artefact): Change {
  if (alert.artefacts.length >= EVIDENCE_KEPT || alert.artefacts.some((a) => a.uid === artefact.uid))
    return 'none'
  alert.artefacts.push(artefact)
  return 'evidence'
}

export function artefactOf(activity: Activity): Artefact {
  // The uid is `<source>:<tenant>:<event id>`; the producer's own id is what an analyst searches for.
  const prefix = `${activity.source}:${activity.identity.tenant}:`
  return {
    uid: activity.uid,
    eventId: activity.uid.startsWith(prefix) ? activity.uid.slice(prefix.length) : activity.uid,
    time: activity.time,
    source: activity.source,
    action: activity.action,
    service: activity.service,
    outcome: activity.outcome,
    errorCode: activity.errorCode,
    address: activity.origin.address,
    country: activity.origin.country,
    asn: activity.origin.asn,
    network: activity.origin.network,
    userAgent: activity.userAgent,
    credential: activity.credential,
    session: activity.session,
    region: activity.region,
    resource: activity.resources[0] ?? '',
  }
}

/** Three significant digits: what is published of a probability, so that rounding noise cannot change an alert. */
export const published = (p: number): number => Number(p.toPrecision(3))

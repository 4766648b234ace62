import type { Alert, Artefact, Cause } from '../../detectors/alert.ts'
import { FAMILIES, type Scalar } from '../../detectors/detector.ts'
import { explain, weightiestFirst } from '../../detectors/explanation.ts'

/**
 * Alerts as OCSF 1.8.0 Detection Findings (class 2004), the primary output format. `time` and every other time is event
 * time in epoch milliseconds: a replay of an old log yields findings of that log's time.
 */
export const OCSF_VERSION = '1.8.0'
/** Version of the ATT&CK matrix that the techniques are numbered by. */
export const ATTACK_VERSION = '17.1'

const SEVERITY_ID = { low: 2, medium: 3, high: 4, critical: 5 } as const
const SEVERITY = { low: 'Low', medium: 'Medium', high: 'High', critical: 'Critical' } as const
const ANALYTIC_TYPE_ID = { rule: 1, behavioral: 2, statistical: 3 } as const
const ANALYTIC_TYPE = { rule: 'Rule', behavioral: 'Behavioral', statistical: 'Statistical' } as const
const RISK = { low: 25, medium: 50, high: 75, critical: 95 } as const

export interface DetectionFinding {
  readonly [key: string]: unknown
}

/** `create` for a new alert (activity_id 1), `update` when it changed (activity_id 2); `finding_info.uid` stays. */
export function toDetectionFinding(
  alert: Alert,
  activity: 'create' | 'update',
  productVersion: string,
): DetectionFinding {
  const explanation = explain(alert)
  const causes = weightiestFirst(alert.causes)
  const activityId = activity === 'create' ? 1 : 2
  const confidence = Math.round(alert.confidence * 100)
  return {
    activity_id: activityId,
    activity_name: activity === 'create' ? 'Create' : 'Update',
    category_uid: 2,
    category_name: 'Findings',
    class_uid: 2004,
    class_name: 'Detection Finding',
    type_uid: 200400 + activityId,
    type_name: `Detection Finding: ${activity === 'create' ? 'Create' : 'Update'}`,
    time: activity === 'create' ? alert.raisedTime : alert.lastTime,
    start_time: alert.firstTime,
    end_time: alert.lastTime,
    severity_id: SEVERITY_ID[alert.severity],
    severity: SEVERITY[alert.severity],
    status_id: 1,
    status: 'New',
    is_alert: true,
    confidence_id: confidence >= 67 ? 3 : confidence >= 34 ? 2 : 1,
    confidence: confidence >= 67 ? 'High' : confidence >= 34 ? 'Medium' : 'Low',
    confidence_score: confidence,
    risk_score: RISK[alert.severity],
    message: explanation.headline,
    metadata: {
      version: OCSF_VERSION,
      uid: `${alert.uid}:${alert.version}`,
      product: { name: 'Plumbline', vendor_name: 'Plumbline', version: productVersion, uid: 'plumbline' },
      log_name: alert.source,
      tenant_uid: alert.identity.tenant === '' ? 'unknown' : alert.identity.tenant,
    },
    finding_info: {
      uid: alert.uid,
      title: explanation.headline,
      desc: FAMILIES.map((family) => {
        const { unusual, sentences } = explanation.families[family]
        return `${family}: ${unusual ? sentences.join(' ') : 'nothing unusual.'}`
      }).join(' '),
      types: [...new Set(alert.causes.map((c) => c.family))],
      created_time: alert.raisedTime,
      first_seen_time: alert.firstTime,
      last_seen_time: alert.lastTime,
      analytic: analyticOf(causes[0]),
      related_analytics: causes.slice(1).map(analyticOf),
      attacks: attacksOf(alert.causes),
      related_events: alert.artefacts.map((a) => ({
        uid: a.eventId,
        type: a.source,
        first_seen_time: a.time,
        title: a.action,
      })),
      related_events_count: alert.artefacts.length,
    },
    anomaly_analyses: alert.causes.map((cause) => anomalyOf(alert, cause)),
    evidences: alert.artefacts.map((a) => evidenceOf(alert, a)),
    resources: resourcesOf(alert),
    observables: observablesOf(alert),
    unmapped: {
      plumbline: {
        families: explanation.families,
        shares: explanation.shares,
        silent_without: explanation.silentWithout,
        expected_once_in_days: explanation.expectedOnceInDays,
        calibration: alert.calibration,
        support: alert.support,
        p: alert.p,
        next: explanation.next,
        blind: explanation.blind,
        members: alert.members,
      },
    },
  }
}

function analyticOf(cause: Cause | undefined): Record<string, unknown> {
  if (cause === undefined) return { type_id: 0, name: 'unknown' }
  return {
    uid: cause.detector,
    name: cause.title,
    type_id: ANALYTIC_TYPE_ID[cause.analyticType],
    type: ANALYTIC_TYPE[cause.analyticType],
    category: cause.family,
  }
}

function attacksOf(causes: readonly Cause[]): unknown[] {
  const seen = new Map<string, unknown>()
  for (const { attacks } of causes)
    for (const { tactic, technique } of attacks) {
      const [parent, sub] = technique.split('.')
      seen.set(`${tactic} ${technique}`, {
        version: ATTACK_VERSION,
        tactic: { uid: tactic },
        technique: { uid: parent },
        ...(sub === undefined ? {} : { sub_technique: { uid: technique } }),
      })
    }
  return [...seen.values()]
}

const observations = (facts: Readonly<Record<string, Scalar>>): { value: string }[] => {
  const list = Object.entries(facts).map(([name, value]) => ({ value: `${name}=${String(value)}` }))
  return list.length === 0 ? [{ value: 'none' }] : list
}

function anomalyOf(alert: Alert, cause: Cause): unknown {
  return {
    analysis_targets: [{ name: alert.identity.id, type: alert.identity.kind }],
    anomalies: [
      {
        observation_parameter: cause.detector,
        observation_type: cause.family,
        observations: observations(cause.observed),
        observed_pattern: cause.contradiction
          ? 'CONTRADICTION'
          : cause.detector.startsWith('first-seen')
            ? 'UNSEEN'
            : 'RARE',
      },
    ],
    baselines: [
      {
        observation_parameter: cause.detector,
        observation_type: cause.family,
        observations: observations(cause.expected),
        observed_pattern: 'FREQUENT',
      },
    ],
  }
}

function evidenceOf(alert: Alert, a: Artefact): Record<string, unknown> {
  return {
    uid: a.eventId,
    api: {
      operation: a.action,
      service: { name: a.service },
      ...(a.errorCode === '' ? {} : { response: { error: a.errorCode } }),
    },
    actor: {
      user: {
        uid: alert.identity.id,
        type_id: alert.identity.human === 'yes' ? 1 : 4,
        ...(a.credential === '' ? {} : { credential_uid: a.credential }),
      },
      ...(a.session === '' ? {} : { session: { uid: a.session } }),
    },
    ...(a.address === '' && a.network === '' ? {} : { src_endpoint: endpointOf(a) }),
    ...(a.userAgent === '' ? {} : { http_request: { user_agent: a.userAgent } }),
    data: {
      time: a.time,
      outcome: a.outcome,
      source: a.source,
      activity_uid: a.uid,
      region: a.region,
      resource: a.resource,
    },
  }
}

function endpointOf(a: Artefact): Record<string, unknown> {
  return {
    ...(a.address === '' ? { svc_name: a.network } : { ip: a.address }),
    ...(a.asn === 0 ? {} : { autonomous_system: { number: a.asn, name: a.network } }),
    ...(a.country === '' ? {} : { location: { country: a.country } }),
  }
}

function resourcesOf(alert: Alert): unknown[] {
  const ids = alert.kind === 'group' ? alert.members : [alert.identity.id]
  return ids.map((uid) => ({
    uid,
    type: `identity:${alert.identity.kind}`,
    data: { provider: alert.identity.provider },
  }))
}

/** OCSF observable types: 2 IP Address, 10 Resource UID, 16 HTTP User-Agent, 19 User Credential ID. */
function observablesOf(alert: Alert): unknown[] {
  const list: { name: string; type_id: number; value: string }[] = [
    { name: 'resources.uid', type_id: 10, value: alert.identity.id },
  ]
  const add = (name: string, typeId: number, value: string): void => {
    if (value !== '' && !list.some((o) => o.type_id === typeId && o.value === value))
      list.push({ name, type_id: typeId, value })
  }
  for (const a of alert.artefacts) {
    add('evidences.src_endpoint.ip', 2, a.address)
    add('evidences.http_request.user_agent', 16, a.userAgent)
    add('evidences.actor.user.credential_uid', 19, a.credential)
  }
  return list
}

import { z } from 'zod'
import { IDENTITY_KINDS, type Identity, KINDS, type Kind } from '../../ingest/activity.ts'
import type { AttributionEntry } from '../../ingest/attribution.ts'
import { SHARED } from '../estate.ts'
import { FEATURE_IDS, type FeatureId } from '../feature.ts'
import type { AlertRow } from '../rows.ts'
import { type Scope, scopeName } from '../scope.ts'
import { DERIVED_PRESENCE, DERIVED_USES } from './facts.ts'
import type { Session } from './session.ts'
import { integer, literal, owned, tuple } from './sql.ts'

/**
 * What crosses identities, read once when a process starts. Presence rows of a day are written when an identity leaves the
 * day, so each question asks the most recent activities as well.
 */
export interface StoredEstate {
  readonly identities: readonly { readonly id: string; readonly kind: Kind; readonly identity: Identity }[]
  readonly usage: readonly {
    readonly feature: FeatureId
    readonly value: string
    readonly identities: number
  }[]
  /** Addresses of Kubernetes identities: node address book and shared egress. */
  readonly addresses: readonly { readonly identity: Identity; readonly address: string }[]
  /** Values that identities of at least a day of age showed for the first time in the last 24 h of event time. */
  readonly newcomers: readonly {
    readonly identity: string
    readonly feature: FeatureId
    readonly value: string
    readonly hour: number
  }[]
  /** Group incidents of the last two days of event time. */
  readonly groupAlerts: readonly AlertRow[]
}

/**
 * Activities that may not have reached `presence` yet: one process counts them back from the newest by order of writing; of a
 * partition, whose activities are numbered by several processes, by the last two days of event time.
 */
const recent = (scope: Scope | undefined, day: number): string =>
  scope === undefined
    ? 'seq + 1000000 > (SELECT max(seq) FROM activity)'
    : `time >= ${integer(Math.max(0, day - 2) * 86_400_000)} AND ${owned(scope)}`
const MOST = 200_000

const identityRow = z.tuple([
  z.string(),
  z.enum(KINDS),
  z.enum(IDENTITY_KINDS),
  z.string(),
  z.string(),
  z.enum(['yes', 'no', 'unknown']),
  z.string(),
])
const usageRow = z.tuple([z.enum(FEATURE_IDS), z.string(), z.number()])
const addressRow = z.tuple([z.string(), z.string()])
const newcomerRow = z.tuple([z.string(), z.enum(FEATURE_IDS), z.string(), z.number()])
const alertRow = z.tuple([
  z.string(),
  z.string(),
  z.number(),
  z.number(),
  z.number(),
  z.number(),
  z.number(),
  z.string(),
])

/** `day`: that of the scope's newest activity. */
export async function loadEstate(session: Session, scope?: Scope, day = 0): Promise<StoredEstate> {
  const identities = (
    await session.rows(`
    SELECT identity, any(kind), argMax(identity_kind, seq), argMax(provider, seq), argMax(tenant, seq), argMax(human, seq),
      argMax(human_reason, seq)
    FROM activity WHERE ${owned(scope)} GROUP BY identity ORDER BY identity`)
  ).map((row) => {
    const [id, kind, identityKind, provider, tenant, human, humanReason] = identityRow.parse(row)
    return { id, kind, identity: { id, kind: identityKind, provider, tenant, human, humanReason } }
  })
  const known = new Map(identities.map((i) => [i.id, i.identity]))
  const addresses = (
    await session.rows(`
    SELECT DISTINCT identity, value FROM (
      SELECT identity, value FROM presence
      WHERE feature = 'address' AND startsWith(identity, 'k8s:') AND ${owned(scope)}
      UNION ALL SELECT identity, address AS value FROM activity
      WHERE kind = 'kubernetes' AND address != '' AND ${recent(scope, day)}
    ) ORDER BY identity, value LIMIT ${MOST}`)
  ).flatMap((row) => {
    const [id, address] = addressRow.parse(row)
    const identity = known.get(id)
    return identity === undefined ? [] : [{ identity, address }]
  })
  return {
    identities,
    addresses,
    usage: await usage(session, scope, day),
    newcomers: await newcomers(session, scope, day),
    groupAlerts: await groupAlerts(session, scope),
  }
}

/**
 * Who called a cluster from where during the last week, of the identities that other processes answer for: a pod's token is
 * compared with the addresses of its node, whoever looks after the node.
 */
export async function addressesElsewhere(
  session: Session,
  day: number,
  scope: Scope,
): Promise<readonly StoredAddress[]> {
  const rows = await session.rows(`
    SELECT DISTINCT identity, identity_kind, tenant, address FROM activity
    WHERE kind = 'kubernetes' AND address != '' AND time >= ${integer((day - 7) * 86_400_000)} AND NOT (${owned(scope)})
    ORDER BY identity, address LIMIT ${MOST}`)
  return rows.map((row) => {
    const [id, kind, tenant, address] = elsewhereRow.parse(row)
    return { identity: { id, kind, tenant }, address }
  })
}
const elsewhereRow = z.tuple([z.string(), z.enum(IDENTITY_KINDS), z.string(), z.string()])

export interface StoredAddress {
  readonly identity: Pick<Identity, 'id' | 'kind' | 'tenant'>
  readonly address: string
}

/** How many identities elsewhere showed each value until a day, that day included, and how many there are. */
export async function usageElsewhere(session: Session, day: number, scope: Scope): Promise<UsageElsewhere> {
  const rows = await session.rows(`
    SELECT feature, value, uniqExact(identity) AS identities FROM presence
    WHERE feature IN ${tuple([...SHARED])} AND day <= ${integer(day)} AND NOT (${owned(scope)})
    GROUP BY feature, value ORDER BY identities DESC, feature, value LIMIT ${MOST}`)
  const kinds = await session.rows(`
    SELECT kind, uniqExact(identity) FROM activity
    WHERE time < ${integer((day + 1) * 86_400_000)} AND NOT (${owned(scope)}) GROUP BY kind ORDER BY kind`)
  return {
    usage: rows.map((row) => {
      const [feature, value, identities] = usageRow.parse(row)
      return { feature, value, identities }
    }),
    identities: kinds.map((row) => {
      const [kind, identities] = kindRow.parse(row)
      return { kind, identities }
    }),
  }
}
const kindRow = z.tuple([z.enum(KINDS), z.number()])

export interface UsageElsewhere {
  readonly usage: StoredEstate['usage']
  readonly identities: readonly { readonly kind: Kind; readonly identities: number }[]
}

/** How many identities ever showed each value of the features that say something across identities. */
async function usage(
  session: Session,
  scope: Scope | undefined,
  day: number,
): Promise<StoredEstate['usage']> {
  const features = tuple([...SHARED])
  const rows = await session.rows(`
    SELECT feature, value, uniqExact(identity) AS identities FROM (
      SELECT identity, feature::String AS feature, value FROM presence
      WHERE feature IN ${features} AND ${owned(scope)}
      UNION ALL SELECT * FROM (${DERIVED_USES(recent(scope, day))}) WHERE feature IN ${features}
    ) GROUP BY feature, value ORDER BY identities DESC, feature, value LIMIT ${MOST}`)
  return rows.map((row) => {
    const [feature, value, identities] = usageRow.parse(row)
    return { feature, value, identities }
  })
}

async function newcomers(
  session: Session,
  scope: Scope | undefined,
  day: number,
): Promise<StoredEstate['newcomers']> {
  const rows = await session.rows(`
    WITH (SELECT intDiv(max(time), 3600000) FROM activity WHERE ${owned(scope)}) AS now
    SELECT identity, feature, value, first FROM (
      SELECT identity, feature, value, min(day * 24 + toUInt32(bitCount(bitXor(hours, hours - 1)) - 1)) AS first,
        min(first) OVER (PARTITION BY identity) AS born
      FROM (
        SELECT identity, feature::String AS feature, value, day, hours FROM presence WHERE ${owned(scope)}
        UNION ALL ${DERIVED_PRESENCE(recent(scope, day))}
      ) GROUP BY identity, feature, value
    ) WHERE first + 24 >= now AND born + 24 <= first ORDER BY first, identity, feature, value LIMIT ${MOST}`)
  return rows.map((row) => {
    const [identity, feature, value, hour] = newcomerRow.parse(row)
    return { identity, feature, value, hour }
  })
}

async function groupAlerts(session: Session, scope: Scope | undefined): Promise<StoredEstate['groupAlerts']> {
  // Incidents of a partition end in its name, those of the whole estate in none (`detectors/groups.ts`).
  const ours =
    scope === undefined
      ? "position(identity, '#') = 0"
      : `endsWith(identity, ${literal(`#${scopeName(scope)}`)})`
  const rows = await session.rows(`
    SELECT uid, identity, day, first_time, last_time, severity_id, version, body FROM alert FINAL
    WHERE startsWith(identity, 'group:') AND ${ours} AND day + 2 >= (SELECT max(day) FROM alert) ORDER BY uid`)
  return rows.map((row) => {
    const [uid, identity, day, firstTime, lastTime, severityId, version, body] = alertRow.parse(row)
    return { uid, identity, day, firstTime, lastTime, severityId, version, body }
  })
}

/**
 * Identities with activities before `beforeHour` (and after `fromHour`) whose hour has no unit: a process died before it
 * closed them. After a clean stop there are none.
 */
export async function unclosed(
  session: Session,
  hours: { readonly from: number; readonly before: number },
  scope?: Scope,
): Promise<readonly string[]> {
  const rows = await session.rows(`
    SELECT DISTINCT identity FROM (
      SELECT DISTINCT identity, intDiv(time, 3600000)::UInt32 AS hour FROM activity
      WHERE time >= ${integer(hours.from)} * 3600000 AND time < ${integer(hours.before)} * 3600000 AND ${owned(scope)}
    ) AS a LEFT ANTI JOIN unit AS u ON a.identity = u.identity AND a.hour = u.hour ORDER BY identity`)
  return rows.map((row) => z.tuple([z.string()]).parse(row)[0])
}

/** Tokens and who used them last, oldest first, for `Attribution.load`. */
export async function attributions(session: Session, limit: number): Promise<readonly AttributionEntry[]> {
  const rows = await session.rows(`
    SELECT source, token, identity, kind, provider, tenant, human, reason, credential FROM (
      SELECT source, details['tokenHash'] AS token, argMax(identity, seq) AS identity, argMax(identity_kind, seq) AS kind,
        argMax(provider, seq) AS provider, argMax(tenant, seq) AS tenant, argMax(human, seq) AS human,
        argMax(human_reason, seq) AS reason, argMax(credential, (credential != '', seq)) AS credential, max(seq) AS latest
      FROM activity WHERE source = ${literal('vault-audit')} AND token != '' AND identity_kind != 'unknown'
      GROUP BY source, token ORDER BY latest DESC LIMIT ${limit}
    ) ORDER BY latest`)
  return rows.map((row) => {
    const [source, tokenHash, id, kind, provider, tenant, human, humanReason, credential] =
      attributionRow.parse(row)
    return { source, tokenHash, credential, identity: { id, kind, provider, tenant, human, humanReason } }
  })
}

const attributionRow = z.tuple([
  z.string(),
  z.string(),
  z.string(),
  z.enum(IDENTITY_KINDS),
  z.string(),
  z.string(),
  z.enum(['yes', 'no', 'unknown']),
  z.string(),
  z.string(),
])

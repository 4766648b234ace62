import type { z } from 'zod'
import type { CredentialSighting } from '../features/credential-uses.ts'
import type { Estate } from '../features/estate.ts'
import type { FeatureId } from '../features/feature.ts'
import type { IdentityState } from '../features/identity-state.ts'
import type { KnownValue } from '../features/known-value.ts'
import type { OpenUnit } from '../features/open-unit.ts'
import type { Activity, Effect, Kind } from '../ingest/activity.ts'

/**
 * Vocabulary of a detector file (`detectors/catalog/<id>.ts`, found by scanning; the id is the file name):
 *
 * - **trigger**: when it is asked. Asking only when something may have changed is what keeps scoring cheap:
 *   `value`: a value of the feature appeared for the first time in this unit (identity × hour);
 *   `count`: the unit's count reached a checkpoint (1, 2, 3 … then every +20 %);
 *   `activity`: every activity, of these effects or authentication methods when given.
 * - **signal**: what it answers: one deviation with observed, expected, a reason, and its raw score −ln p.
 * - **contradiction**: evidence that needs no history and no calibration; it alerts outside the statistical budget.
 * - **family**: access pattern, geography or permission use.
 */
export const FAMILIES = ['access pattern', 'geography', 'permission use'] as const
export type Family = (typeof FAMILIES)[number]

export type Trigger =
  | { readonly on: 'value'; readonly feature: FeatureId }
  | { readonly on: 'count'; readonly of: 'events' | 'actions' | 'resources' | 'denied' }
  | { readonly on: 'activity'; readonly effects?: readonly Effect[]; readonly kinds?: readonly Kind[] }

/** What a detector may look at: all of it is read-only to it. */
export interface Subject {
  readonly activity: Activity
  readonly state: IdentityState
  readonly unit: OpenUnit
  readonly estate: Estate
  /** The fresh value, for `value` triggers. */
  readonly value: KnownValue | null
  /** Uses of the activity's credential, this one included as `here`. */
  readonly credential: CredentialSighting | null
  /** Whether the identity has history enough for statistics (24 closed units and one day). */
  readonly mature: boolean
}

export type Scalar = string | number | boolean

export interface SignalDraft {
  /** −ln of the raw p-value plus the logarithm of a weight; ≥ 0. Calibration makes it comparable. */
  readonly score: number
  readonly observed: Readonly<Record<string, Scalar>>
  readonly expected: Readonly<Record<string, Scalar>>
  /** One sentence a person can check. Strings from the log are inserted by `quote`. */
  readonly text: string
  /** What was unusual, for grouping and for one cause per value: the feature and value, '' for counts. */
  readonly value: string
  /** For contradictions: how bad. Statistical signals leave it out. */
  readonly severity?: 'medium' | 'high' | 'critical'
}

export interface AttackReference {
  readonly tactic: string
  readonly technique: string
}

/** One activity of an example, as changes to a plain activity of a settled service account. */
export type Sketch = Partial<Omit<Activity, 'origin' | 'identity'>> & {
  readonly origin?: Partial<Activity['origin']>
  readonly identity?: Partial<Activity['identity']>
  /** Minutes after the previous activity; default 1. */
  readonly after?: number
}

/** A story the contract suite plays: a habit repeated hour by hour, then what happens. */
export interface Example {
  readonly title: string
  /** Activities of each active hour of the past; default one plain read. `#` in a credential stands for the hour. */
  readonly habit?: readonly Sketch[]
  /** Number of past hours with the habit; default 240. */
  readonly hours?: number
  /** Hours of the day (UTC) in which the habit is lived; default all. */
  readonly hoursOfDay?: readonly number[]
  readonly now: readonly Sketch[]
}

interface DetectorText {
  readonly id: string
  readonly title: string
  readonly family: Family
  /** OCSF analytic type. */
  readonly analyticType: 'rule' | 'behavioral' | 'statistical'
  /**
   * For signals that cannot prove misuse alone (volume, software, address, hour): their calibrated p is never below this, so
   * that they alert only together with another family (detection-notes §13.17). Absent: no such limit.
   */
  readonly leastP?: number
  readonly attacks: readonly AttackReference[]
  /** One sentence each, for the generated catalogue. */
  readonly sees: string
  readonly needs: string
  readonly blindSpots: readonly string[]
  readonly falsePositives: readonly string[]
  readonly examples: { readonly fires: Example; readonly silent: Example }
}

export interface DetectorDefinition<P> extends DetectorText {
  readonly trigger: Trigger
  readonly params: z.ZodType<P>
  /** Pure. Null when there is nothing to say. Must not keep or change what it is given. */
  readonly score: (subject: Subject, params: P) => SignalDraft | null
}

export interface Detector extends DetectorText {
  readonly trigger: Trigger
  /** The parameters in force, for the catalogue. */
  readonly parameters: Readonly<Record<string, unknown>>
  readonly score: (subject: Subject) => SignalDraft | null
}

/** Closes a definition over its parameters (their defaults). Throws when the defaults do not satisfy the schema. */
export function defineDetector<P extends Record<string, unknown>>(
  definition: DetectorDefinition<P>,
): Detector {
  const { params, score, ...rest } = definition
  const parameters = params.parse({})
  return { ...rest, parameters, score: (subject) => score(subject, parameters) }
}

/**
 * A string from the log as it may stand in a sentence for people: control characters and quotes replaced, at most 128
 * characters. Everything a detector says of observed values passes through here: log content is hostile input.
 */
export function quote(untrusted: string): string {
  return `"${printable(untrusted, 128).replace(/["`<>]/g, '·')}"`
}

/** A string from the log for a terminal or a sentence: one line, nothing that moves the cursor or turns the text around. */
export function printable(untrusted: string, most = 512): string {
  // Cut first, so that a long string costs no more than what is shown of it; a pair of surrogates cut in two goes as well.
  const shown = untrusted.length > most ? `${untrusted.slice(0, most - 1)}…` : untrusted
  return shown.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '·')
}

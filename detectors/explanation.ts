import { VALUES_PER_FEATURE } from '../features/known-value.ts'
import type { Alert, Cause } from './alert.ts'
import { expectedOnceInDays } from './budget.ts'
import { type Family, quote } from './detector.ts'

/**
 * What an analyst reads first, from counts that can be checked. Text is built from templates; observed strings were
 * escaped by the detectors (`quote`).
 */
export interface Explanation {
  readonly headline: string
  /**
   * All three families, named even when nothing was unusual in one. `supporting` repeats in coarser words what a sentence
   * says of the same events.
   */
  readonly families: Readonly<
    Record<
      Family,
      {
        readonly unusual: boolean
        readonly sentences: readonly string[]
        readonly supporting: readonly string[]
      }
    >
  >
  /** Share of the surprise that each cause carries: −log2 p over their sum; contradictions carry it all. */
  readonly shares: readonly { readonly detector: string; readonly value: string; readonly share: number }[]
  /** Without the events of any one of these it would have stayed silent; empty when several causes each suffice. */
  readonly silentWithout: readonly string[]
  /** Over the whole estate, such an hour is expected once in this many days; null when only contradictions speak. */
  readonly expectedOnceInDays: number | null
  readonly next: readonly string[]
  /** What could not be seen: aspects of which the identity showed more values than are remembered. */
  readonly blind: readonly string[]
}

const FLOOR = 1e-12

export function explain(alert: Alert): Explanation {
  const causes = weightiestFirst(alert.causes)
  const lead = causes.find((cause) => !isSupporting(alert, cause))
  const who =
    alert.kind === 'group' ? `${alert.members.length} identities of one group` : quote(alert.identity.id)
  return {
    headline: lead === undefined ? who : `${who}: ${lead.title.toLowerCase()}`,
    families: {
      'access pattern': familyOf(alert, causes, 'access pattern'),
      geography: familyOf(alert, causes, 'geography'),
      'permission use': familyOf(alert, causes, 'permission use'),
    },
    shares: sharesOf(causes),
    silentWithout: causes.filter((cause) => isDecisive(alert, cause)).map(named),
    expectedOnceInDays:
      alert.p >= 1 || alert.unitsPerDay <= 0
        ? null
        : Number(expectedOnceInDays(alert.p, alert.unitsPerDay).toPrecision(2)),
    next: nextSteps(alert, causes),
    blind: alert.support.full.map(
      (feature) =>
        `${VALUES_PER_FEATURE} values of ${feature.replaceAll('_', ' ')} are remembered, and no more: new ones cannot be told.`,
    ),
  }
}

const bits = (cause: Cause): number =>
  cause.contradiction ? 40 : Math.max(0, -Math.log2(Math.max(cause.p, FLOOR)))

const byWeight = (a: Cause, b: Cause): number =>
  bits(b) - bits(a) ||
  (a.detector < b.detector ? -1 : a.detector > b.detector ? 1 : a.value < b.value ? -1 : 1)

/** The order in which causes are told. */
export const weightiestFirst = (causes: readonly Cause[]): Cause[] => [...causes].sort(byWeight)

/** Detectors whose novelty comes with every new action of another service or on another class of resource. */
const COARSER: ReadonlySet<string> = new Set(['first-seen-service', 'first-seen-resource-class'])

/** Whether a cause says of the same events, only less exactly, what the first use of an action says. */
export function isSupporting(alert: Alert, cause: Cause): boolean {
  if (!COARSER.has(cause.detector)) return false
  const told = alert.causes.filter((c) => c.detector === 'first-seen-action')
  return cause.evidence.every((uid) => told.some((c) => c.evidence.includes(uid)))
}

function familyOf(
  alert: Alert,
  causes: readonly Cause[],
  family: Family,
): { unusual: boolean; sentences: string[]; supporting: string[] } {
  const own = causes.filter((c) => c.family === family)
  return {
    unusual: own.length > 0,
    sentences: own.filter((c) => !isSupporting(alert, c)).map((c) => c.text),
    supporting: own.filter((c) => isSupporting(alert, c)).map((c) => c.text),
  }
}

function sharesOf(causes: readonly Cause[]): Explanation['shares'] {
  const sum = causes.reduce((total, c) => total + bits(c), 0)
  return causes.map((c) => ({
    detector: c.detector,
    value: c.value,
    share: sum === 0 ? 0 : Number((bits(c) / sum).toFixed(2)),
  }))
}

/**
 * The counterfactual: the alert hangs on a cause when each of its crossings does, or rests on events of that cause only: a new
 * action that is also tampering is one deed.
 */
function isDecisive(alert: Alert, cause: Cause): boolean {
  if (alert.crossings.length === 0) return false
  return alert.crossings.every((crossing) =>
    crossing.some((key) => {
      const by = alert.causes.find((c) => c.detector === key.detector && c.value === key.value)
      return by !== undefined && (by === cause || by.evidence.every((uid) => cause.evidence.includes(uid)))
    }),
  )
}

const named = ({ detector, value }: Cause): string =>
  value === '' ? detector : `${detector} ${quote(value)}`

function nextSteps(alert: Alert, causes: readonly Cause[]): string[] {
  const families = new Set(causes.map((c) => c.family))
  const steps: string[] = []
  if (alert.kind === 'group') return ['Was there a deployment that all these identities share?']
  if (families.has('geography'))
    steps.push('Does the owner know this network? Is the usual place still active?')
  if (families.has('permission use'))
    steps.push('Was there a change or deployment that needs this permission?')
  if (families.has('access pattern')) steps.push('Was there a retry, backfill or new release at that time?')
  const credentials = [...new Set(alert.artefacts.map((a) => a.credential).filter((c) => c !== ''))]
  if (credentials.length > 0)
    steps.push(`Where else was ${credentials.slice(0, 3).map(quote).join(', ')} used?`)
  return steps
}

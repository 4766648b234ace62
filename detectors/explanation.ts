import type { Alert, Cause } from './alert.ts'
import { expectedOnceInDays } from './budget.ts'
import { type Family, quote } from './detector.ts'

/**
 * What an analyst reads first, from counts that can be checked. Text is built from templates; observed strings were
 * escaped by the detectors (`quote`).
 */
export interface Explanation {
  readonly headline: string
  /** All three families, named even when nothing was unusual in one. */
  readonly families: Readonly<
    Record<Family, { readonly unusual: boolean; readonly sentences: readonly string[] }>
  >
  /** Share of the surprise that each cause carries: −log2 p over their sum; contradictions carry it all. */
  readonly shares: readonly { readonly detector: string; readonly value: string; readonly share: number }[]
  /** Without the events of any one of these it would have stayed silent; empty when several causes each suffice. */
  readonly silentWithout: readonly string[]
  /** Over the whole estate, such an hour is expected once in this many days; null when only contradictions speak. */
  readonly expectedOnceInDays: number | null
  readonly next: readonly string[]
}

const FLOOR = 1e-12

export function explain(alert: Alert): Explanation {
  const causes = weightiestFirst(alert.causes)
  const lead = causes[0]
  const who =
    alert.kind === 'group' ? `${alert.members.length} identities of one group` : quote(alert.identity.id)
  return {
    headline: lead === undefined ? who : `${who}: ${lead.title.toLowerCase()}`,
    families: {
      'access pattern': familyOf(causes, 'access pattern'),
      geography: familyOf(causes, 'geography'),
      'permission use': familyOf(causes, 'permission use'),
    },
    shares: sharesOf(causes),
    silentWithout: causes.filter((cause) => isDecisive(alert, cause)).map(named),
    expectedOnceInDays:
      alert.p >= 1 || alert.unitsPerDay <= 0
        ? null
        : Number(expectedOnceInDays(alert.p, alert.unitsPerDay).toPrecision(2)),
    next: nextSteps(alert, causes),
  }
}

const bits = (cause: Cause): number =>
  cause.contradiction ? 40 : Math.max(0, -Math.log2(Math.max(cause.p, FLOOR)))

const byWeight = (a: Cause, b: Cause): number =>
  bits(b) - bits(a) ||
  (a.detector < b.detector ? -1 : a.detector > b.detector ? 1 : a.value < b.value ? -1 : 1)

/** The order in which causes are told. */
export const weightiestFirst = (causes: readonly Cause[]): Cause[] => [...causes].sort(byWeight)

function familyOf(causes: readonly Cause[], family: Family): { unusual: boolean; sentences: string[] } {
  const sentences = causes.filter((c) => c.family === family).map((c) => c.text)
  return { unusual: sentences.length > 0, sentences }
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

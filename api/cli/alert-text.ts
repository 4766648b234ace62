import type { Alert, Cause } from '../../detectors/alert.ts'
import { FAMILIES, type Family, printable, quote } from '../../detectors/detector.ts'
import { explain, isSupporting, weightiestFirst } from '../../detectors/explanation.ts'

const iso = (time: number): string => new Date(time).toISOString().replace('T', ' ').slice(0, 19)

const CAUSES_SHOWN = 4

/** The causes of a family, weightiest first, without those that only support another. */
const told = (alert: Alert, family: Family): Cause[] =>
  weightiestFirst(alert.causes).filter((c) => c.family === family && !isSupporting(alert, c))

/** The alert in a few lines, for the terminal while a log is replayed. */
export function alertSummary(alert: Alert, change: 'create' | 'update'): string {
  const e = explain(alert)
  const lines = [
    `${change === 'create' ? 'ALERT' : 'ALERT grew'} ${alert.severity.toUpperCase()}  ${e.headline}`,
    `  ${iso(alert.firstTime)} – ${iso(alert.lastTime)} UTC   id ${alert.uid}`,
  ]
  for (const family of FAMILIES) {
    const causes = told(alert, family)
    if (causes.length === 0) lines.push(`  ${family}: nothing unusual`)
    for (const { text } of causes.slice(0, 3)) lines.push(`  ${family}: ${text}`)
  }
  return lines.join('\n')
}

/** What an analyst reads first: usual beside observed, since when, which events, what would have kept it silent. */
export function alertExplanation(alert: Alert): string {
  const e = explain(alert)
  const lines = [
    `${alert.severity.toUpperCase()}  ${e.headline}`,
    '',
    `  identity    ${quote(alert.identity.id)} (${alert.identity.kind}, ${alert.identity.provider})`,
    `  machine?    ${alert.identity.human === 'yes' ? 'a person' : alert.identity.human === 'no' ? 'a machine' : 'unknown, taken as a machine'}: ${printable(alert.identity.humanReason)}`,
    `  time        ${iso(alert.firstTime)} – ${iso(alert.lastTime)} UTC`,
    `  history     ${alert.support.hours} active hours over ${alert.support.days} days`,
    `  rarity      ${rarity(alert, e.expectedOnceInDays)}`,
    '',
  ]
  for (const family of FAMILIES) {
    const { unusual, supporting } = e.families[family]
    lines.push(`${family}${unusual ? '' : ': nothing unusual'}`)
    const causes = told(alert, family)
    for (const cause of causes.slice(0, CAUSES_SHOWN)) {
      const share = e.shares.find((s) => s.detector === cause.detector && s.value === cause.value)?.share ?? 0
      lines.push(`  ${cause.text}`)
      lines.push(`    observed  ${facts(cause.observed)}`)
      lines.push(`    usual     ${facts(cause.expected)}`)
      const weight = cause.contradiction ? 'a contradiction, needs no history' : `p = ${cause.p}`
      lines.push(`    weight    ${weight}, ${Math.round(share * 100)} % of the surprise (${cause.detector})`)
    }
    if (causes.length > CAUSES_SHOWN) lines.push(`  … and ${causes.length - CAUSES_SHOWN} more`)
    for (const text of supporting) lines.push(`  the same events: ${text}`)
  }
  for (const text of e.blind) lines.push(`not seen: ${text}`)
  lines.push('', 'events')
  for (const a of alert.artefacts)
    lines.push(
      `  ${iso(a.time)}  ${quote(a.action)} ${a.outcome}${a.errorCode === '' ? '' : ` ${quote(a.errorCode)}`} from ${quote(a.address || a.network || 'unknown')}${a.country === '' ? '' : ` ${printable(a.country)}`}  ${quote(a.eventId)}`,
    )
  lines.push('')
  lines.push(
    e.silentWithout.length === 0
      ? 'It would have stayed silent only without several of these causes at once.'
      : `It would have stayed silent without the events of: ${e.silentWithout.join(', ')}.`,
  )
  for (const step of e.next) lines.push(`Next: ${step}`)
  return lines.join('\n')
}

function rarity(alert: Alert, onceInDays: number | null): string {
  if (onceInDays === null) return 'a contradiction in itself'
  const calibration =
    alert.calibration.state === 'calibrated'
      ? `calibrated on ${alert.calibration.units} hours`
      : 'not calibrated yet: too little history of the estate'
  return `such an hour is expected once in ${onceInDays} days over all identities (${calibration})`
}

const facts = (values: Readonly<Record<string, string | number | boolean>>): string =>
  Object.entries(values)
    .map(
      ([name, value]) =>
        `${name.replaceAll('_', ' ')} ${typeof value === 'string' ? printable(value) || '–' : String(value)}`,
    )
    .join('; ')

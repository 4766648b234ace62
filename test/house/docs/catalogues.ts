import { type Detector, FAMILIES, type Trigger } from '../../../detectors/detector.ts'
import { KINDS } from '../../../ingest/activity.ts'
import type { Source } from '../../../ingest/source.ts'
import { code, facts, table } from './markdown.ts'

/** The catalogue of sources: a table, and what each sees, misses and needs. */
export function sourcesPage(sources: readonly Source[]): string {
  const sorted = KINDS.flatMap((kind) => sources.filter((source) => source.kind === kind))
  const rows = sorted.map((s) => [
    `[${code(s.id)}](#${s.id})`,
    s.kind,
    s.title,
    s.format === 'json' ? 'JSON objects' : 'lines of text',
  ])
  const entries = sorted.map((s) =>
    [
      `### ${s.id}`,
      '',
      facts([
        ['Sees', s.sees],
        ['Misses', s.misses],
        ['Needs', s.needs],
        ['Documentation', `<${s.documentation}>`],
        ['Samples', s.samples.map((sample) => `${sample.name} (${sample.expect.outcome})`).join('; ')],
      ]),
    ].join('\n'),
  )
  return [table(['source', 'kind', 'what', 'records'], rows), ...entries].join('\n\n')
}

/** The formats on one screen: the sources of each kind. */
export const formatsTable = (sources: readonly Source[]): string =>
  table(
    ['kind', 'sources'],
    KINDS.map((kind) => [
      code(kind),
      sources
        .filter((source) => source.kind === kind)
        .map((source) => code(source.id))
        .join(', '),
    ]).filter(([, ids]) => ids !== ''),
  )

/** The catalogue of detectors: a table by family, and what each sees, misses and needs. */
export function detectorsPage(detectors: readonly Detector[]): string {
  const sorted = FAMILIES.flatMap((family) => detectors.filter((detector) => detector.family === family))
  const rows = sorted.map((d) => [
    `[${code(d.id)}](#${d.id})`,
    d.family,
    d.title,
    kindOf(d),
    d.attacks.map((a) => a.technique).join(', '),
  ])
  const entries = sorted.map((d) =>
    [
      `### ${d.id}`,
      '',
      facts([
        ['Sees', d.sees],
        ['Misses', sentence(d.blindSpots)],
        ['Mistaken for an attack', sentence(d.falsePositives)],
        ['Needs', d.needs],
        ['Asked', askedOn(d.trigger)],
        [
          'ATT&CK',
          d.attacks.map((a) => `${tacticLink(a.tactic)} / ${techniqueLink(a.technique)}`).join(', '),
        ],
        ['Parameters', parametersOf(d)],
        ['Fires', d.examples.fires.title],
        ['Stays silent', d.examples.silent.title],
      ]),
    ].join('\n'),
  )
  return [table(['detector', 'family', 'what', 'kind', 'ATT&CK'], rows), ...entries].join('\n\n')
}

const sentence = (parts: readonly string[]): string => parts.join('; ')

const kindOf = (d: Detector): string =>
  d.trigger.on === 'activity' ? `${d.analyticType}, from the first event` : d.analyticType

const parametersOf = ({ parameters }: Detector): string =>
  Object.entries(parameters)
    .map(([name, value]) => code(`${name} = ${JSON.stringify(value)}`))
    .join(', ')

function askedOn(trigger: Trigger): string {
  switch (trigger.on) {
    case 'value':
      return `when a value of ${code(trigger.feature)} first appears in an hour`
    case 'count':
      return `when the hour's count of ${trigger.of} has grown noticeably`
    case 'activity': {
      const { effects, kinds } = trigger
      const what =
        effects === undefined
          ? 'at every activity'
          : `at every activity that is ${effects.map(code).join(' or ')}`
      return kinds === undefined ? what : `${what} of ${kinds.map(code).join(' or ')}`
    }
    default:
      return trigger satisfies never
  }
}

const tacticLink = (id: string): string => `[${id}](https://attack.mitre.org/tactics/${id}/)`
const techniqueLink = (id: string): string =>
  `[${id}](https://attack.mitre.org/techniques/${id.replace('.', '/')}/)`

import type { Command } from 'commander'
import { loadDetectors } from '../../detectors/detectors.ts'
import { loadSources } from '../../ingest/sources.ts'

/** `plumbline sources`, `plumbline detectors`: what is there, what it sees, misses and needs. */
export function registerCatalogues(program: Command): void {
  program
    .command('sources')
    .description('the log formats that are understood')
    .action(async () => {
      for (const source of (await loadSources()).all)
        print(`${source.id}  (${source.kind}) ${source.title}`, [
          ['sees', source.sees],
          ['misses', source.misses],
          ['needs', source.needs],
          ['see', source.documentation],
        ])
    })
  program
    .command('detectors')
    .description('what is looked for, and how')
    .action(async () => {
      for (const d of (await loadDetectors()).all)
        print(`${d.id}  [${d.family}, ${d.analyticType}] ${d.title}`, [
          ['sees', d.sees],
          ['misses', d.blindSpots.join('; ')],
          ['needs', d.needs],
          ['mistaken by', d.falsePositives.join('; ')],
          ['ATT&CK', d.attacks.map((a) => `${a.tactic}/${a.technique}`).join(', ')],
          [
            'settings',
            Object.entries(d.parameters)
              .map(([k, v]) => `${k}=${String(v)}`)
              .join(' '),
          ],
        ])
    })
}

function print(head: string, facts: readonly (readonly [string, string])[]): void {
  process.stdout.write(`${head}\n`)
  for (const [name, text] of facts) if (text !== '') process.stdout.write(`    ${name.padEnd(12)}${text}\n`)
  process.stdout.write('\n')
}

import type { Command } from 'commander'
import { quote } from '../../detectors/detector.ts'
import { exportDeadLetter } from '../../ingest/dead-letters.ts'
import { STAGES } from '../../ingest/outcome.ts'
import { EXIT } from './exit.ts'
import { withStore } from './inspect.ts'

/** `plumbline rebuild`, `plumbline dead-letters`: keeping the store honest. */
export function registerStoreCommands(program: Command): void {
  program
    .command('rebuild')
    .description('recompute presence and units from activity')
    .option('--check', 'only compare with what is stored')
    .option('--data <dir>', 'data directory of the embedded store')
    .action(async (options: { check?: boolean; data?: string }) => {
      await withStore(options.data, async (store) => {
        if (options.check !== true) await store.rebuild()
        const differences = await store.checkRebuild()
        if (differences.length === 0) {
          const { presence, unit } = await store.counts()
          process.stdout.write(
            `Equal: ${unit} unit rows and ${presence} presence rows are what activity says.\n`,
          )
          return
        }
        for (const d of differences)
          process.stdout.write(
            `${d.table} ${quote(d.identity)} ${d.field} at ${d.at}: stored ${d.stored}, derived ${d.derived}\n`,
          )
        process.stdout.write(`${differences.length} differences. \`plumbline rebuild\` repairs them.\n`)
        process.exitCode = EXIT.incomplete
      })
    })
  program
    .command('dead-letters')
    .description('records that nobody could use, as lines that `plumbline replay -` reads back after a fix')
    .option('--data <dir>', 'data directory of the embedded store')
    .action(async (options: { data?: string }) => {
      await withStore(options.data, async (store) => {
        let after: string | undefined
        do {
          const page = await store.analyst.deadLetters({
            limit: 500,
            ...(after === undefined ? {} : { after }),
          })
          for (const l of page.items) {
            const stage = STAGES.find((s) => s === l.stage) ?? 'read'
            process.stdout.write(
              `${exportDeadLetter({
                verdict: { outcome: 'dead', stage, reason: l.reason, detail: l.detail },
                position: { origin: l.origin, line: l.line, offset: l.offset, index: l.index },
                source: l.source,
                bytes: l.bytes,
              })}\n`,
            )
          }
          after = page.next
        } while (after !== undefined)
      })
    })
}

import type { Command } from 'commander'
import { quote } from '../../detectors/detector.ts'
import { FEATURE_IDS } from '../../features/feature.ts'
import { VALUES_PER_FEATURE } from '../../features/known-value.ts'
import { openStore, type Store } from '../../features/store/connection.ts'
import { readConfig } from '../config.ts'
import { parseAlert } from '../pipeline.ts'
import { alertExplanation } from './alert-text.ts'
import { sparkline, weekGrid } from './drawing.ts'
import { EXIT } from './exit.ts'

const DAYS_DRAWN = 14

/** `plumbline explain`, `plumbline identity`, `plumbline alerts`: what an analyst reads first, on the terminal. */
export function registerInspect(program: Command): void {
  const data = ['--data <dir>', 'data directory of the embedded store'] as const
  program
    .command('alerts')
    .description('the latest alerts, newest first')
    .option(...data)
    .option('--limit <n>', 'how many', '20')
    .action(async (options: { data?: string; limit: string }) => {
      await withStore(options.data, async (store) => {
        const { items } = await store.analyst.alerts({ limit: Number(options.limit) || 20 })
        if (items.length === 0) process.stdout.write('No alerts.\n')
        for (const row of items) {
          const alert = parseAlert(row)
          const time = new Date(alert.firstTime).toISOString().slice(0, 16).replace('T', ' ')
          process.stdout.write(
            `${alert.uid}  ${time}  ${alert.severity.padEnd(8)}  ${quote(alert.identity.id)}  ${alert.causes.map((c) => c.detector).join(', ')}\n`,
          )
        }
      })
    })
  program
    .command('explain')
    .description('why an alert was raised: usual beside observed, events, what would have kept it silent')
    .argument('<alert>', 'alert id')
    .option(...data)
    .action(async (uid: string, options: { data?: string }) => {
      await withStore(options.data, async (store) => {
        const row = await store.analyst.alert(uid)
        if (row === undefined)
          return notFound(`There is no alert ${quote(uid)}. \`plumbline alerts\` lists them.`)
        const alert = parseAlert(row)
        process.stdout.write(`${alertExplanation(alert)}\n\n`)
        if (alert.kind === 'identity') await drawHours(store, alert.identity.id)
      })
    })
  program
    .command('identity')
    .description('what an identity normally does, and when')
    .argument('<id>', 'identity id')
    .option(...data)
    .action(async (id: string, options: { data?: string }) => {
      await withStore(options.data, (store) => showIdentity(store, id))
    })
}

async function showIdentity(store: Store, id: string): Promise<void> {
  const summary = await store.analyst.identity(id)
  if (summary === undefined) {
    const { items } = await store.analyst.identities({ text: id, limit: 10 })
    const hint = items.length === 0 ? '' : ` Did you mean:\n${items.map((i) => `  ${i.id}`).join('\n')}`
    return notFound(`There is no identity ${quote(id)}.${hint}`)
  }
  const day = (time: number): string => new Date(time).toISOString().slice(0, 16).replace('T', ' ')
  process.stdout.write(
    [
      `${quote(summary.id)}`,
      `  ${summary.kind} of ${summary.provider}, ${summary.tenant || 'no tenant'}; a person? ${summary.human} (${summary.humanReason})`,
      `  seen ${day(summary.firstSeen)} – ${day(summary.lastSeen)} UTC in ${summary.sources.join(', ')}`,
      `  ${summary.events} activities, ${summary.denied} denied, ${summary.failed} failed`,
      '',
    ].join('\n'),
  )
  const baseline = await store.analyst.baseline(id)
  for (const feature of FEATURE_IDS) {
    const values = baseline.filter((v) => v.feature === feature).sort((a, b) => b.hours - a.hours)
    if (values.length === 0) continue
    process.stdout.write(`\n  ${feature.replaceAll('_', ' ')}\n`)
    for (const v of values.slice(0, 8))
      process.stdout.write(
        `    ${String(v.hours).padStart(5)} h on ${String(v.days).padStart(3)} days  ${quote(v.value)}${v.held === 'held' ? `  not learnt: ${v.reason}` : ''}\n`,
      )
    if (values.length > 8) process.stdout.write(`    … and ${values.length - 8} more\n`)
    if (values.length >= VALUES_PER_FEATURE)
      process.stdout.write('    full: no further value is remembered, what is new is not told any more\n')
  }
  process.stdout.write('\n')
  await drawHours(store, id)
  const { items } = await store.analyst.alerts({ identity: id, limit: 5 })
  for (const row of items) process.stdout.write(`alert ${row.uid}  ${day(row.firstTime)}\n`)
}

/** The identity's hours: a row per weekday over all its history, and its last two weeks. */
async function drawHours(store: Store, id: string): Promise<void> {
  const grid = await store.analyst.hourGrid(id)
  process.stdout.write(
    `hours of the week (UTC)\n${weekGrid(grid)
      .map((l) => `  ${l}`)
      .join('\n')}\n`,
  )
  const hours = await store.analyst.dailyHours(id, DAYS_DRAWN)
  const last = hours.at(-1)
  if (last === undefined) return
  const events = new Map(hours.map((h) => [h.hour, h.events]))
  process.stdout.write('\nlast active days, hour by hour (UTC)\n')
  const lastDay = Math.floor(last.hour / 24)
  for (let day = lastDay - DAYS_DRAWN + 1; day <= lastDay; day++) {
    const row = Array.from({ length: 24 }, (_, h) => events.get(day * 24 + h) ?? 0)
    const sum = row.reduce((a, b) => a + b, 0)
    if (sum > 0)
      process.stdout.write(
        `  ${new Date(day * 86_400_000).toISOString().slice(0, 10)} │${sparkline(row)}│ ${sum}\n`,
      )
  }
}

function notFound(message: string): void {
  process.stderr.write(`plumbline: not-found: ${message}\n`)
  process.exitCode = EXIT.incomplete
}

/** Opens the store of the settings, or of `--data`, and closes it again. */
export async function withStore(
  data: string | undefined,
  work: (store: Store) => Promise<void>,
): Promise<void> {
  const config = readConfig(process.env)
  const store = await openStore(data === undefined ? config.store : { ...config.store, path: data })
  try {
    await work(store)
  } finally {
    await store.close()
  }
}

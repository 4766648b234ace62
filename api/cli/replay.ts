import type { Command } from 'commander'
import { listFiles } from '../../ingest/files.ts'
import type { IngestError } from '../../ingest/ingest-error.ts'
import type { ReadRecord } from '../../ingest/reader.ts'
import { createReplayTally, replayInOrder } from '../../ingest/replay-order.ts'
import { productVersion, readConfig } from '../config.ts'
import { openEngine } from '../engine.ts'
import { type AlertSink, openAlertSink } from '../outputs/alert-file.ts'
import { addCounts, type BatchCounts, newCounts, type PublishedAlert } from '../pipeline.ts'
import { alertSummary } from './alert-text.ts'
import { EXIT } from './exit.ts'
import { Progress, type ProgressState, shareDone } from './progress.ts'
import { reportText } from './report.ts'

interface ReplayOptions {
  readonly source?: string
  readonly learnUntil?: string
  readonly alerts?: string
  readonly data?: string
  readonly budget?: string
  readonly includePeople?: boolean
  readonly tenant?: string
}

/** `plumbline replay`: reads real log files as they would have arrived live, and ends with a report that adds up. */
export function registerReplay(program: Command): void {
  program
    .command('replay')
    .description('read log files in event-time order, learn, and raise alerts')
    .argument('<path...>', 'files, folders, or - for standard input')
    .option('--source <id>', 'take every record for this source instead of recognising it')
    .option('--tenant <name>', 'cluster, host or realm of records that do not say', '')
    .option('--learn-until <time>', 'only learn from what is older than this (ISO 8601)')
    .option('--alerts <file>', 'append alerts as OCSF Detection Findings, one a line; - for standard output')
    .option('--data <dir>', 'data directory of the embedded store')
    .option('--budget <n>', 'alerts per day for the whole estate')
    .option('--include-people', 'score people too')
    .action(async (paths: string[], options: ReplayOptions) => {
      process.exitCode = await replay(paths, options)
    })
}

/** Records per batch: few wide inserts, and a bound on memory. */
const BATCH = 10_000
const SUMMARIES_SHOWN = 20

async function replay(paths: readonly string[], options: ReplayOptions): Promise<number> {
  const started = performance.now()
  // Findings may own standard output: everything for people goes elsewhere then.
  const out = options.alerts === '-' ? process.stderr : process.stdout
  const progress = new Progress(process.stderr, 'replay')
  const config = readConfig({
    ...process.env,
    ...(options.data === undefined ? {} : { PLUMBLINE_DATA: options.data }),
    ...(options.budget === undefined ? {} : { PLUMBLINE_BUDGET: options.budget }),
  })
  const learnUntil = options.learnUntil === undefined ? undefined : timeOption(options.learnUntil)
  const problems: IngestError[] = []
  const list = await listFiles(paths)
  problems.push(...list.problems)
  for (const { path, reason } of list.skipped) out.write(`left out: ${path} (${reason})\n`)

  const seen = { created: 0, updated: 0 }
  const sink: AlertSink | null =
    options.alerts === undefined ? null : await openAlertSink(options.alerts, productVersion())
  const publish = async (alerts: readonly PublishedAlert[]): Promise<void> => {
    await sink?.write(alerts)
    for (const { alert, change } of alerts) {
      if (change === 'create') seen.created += 1
      else seen.updated += 1
      if (change === 'update' || seen.created > SUMMARIES_SHOWN) continue
      progress.clear()
      out.write(`${alertSummary(alert, change)}\n\n`)
    }
  }
  const engine = await openEngine(config, {
    learnUntil,
    includePeople: options.includePeople === true,
    publish,
  })
  const counts = newCounts()
  const tally = createReplayTally()
  try {
    const source = options.source === undefined ? undefined : engine.registry.byId(options.source)
    if (options.source !== undefined && source === undefined)
      throw Object.assign(
        new Error(`There is no source "${options.source}". \`plumbline sources\` lists them.`),
        {
          code: 'unknown-source',
        },
      )
    const bytes = list.files.reduce((sum, f) => sum + f.size, 0)
    const known = list.files.every((f) => f.kind === 'file')
    let batch: ReadRecord[] = []
    let position = 0
    const reached = (durable: boolean): ProgressState => ({
      done: counts.read,
      share: shareDone({
        bytes: known ? bytes : 0,
        consumed: tally.consumed,
        parsed: tally.parsed,
        taken: counts.read,
        durable,
      }),
      position,
    })
    const flush = async (): Promise<void> => {
      if (batch.length === 0) return
      position = batch.at(-1)?.time ?? position
      addCounts(counts, await engine.take(batch))
      batch = []
      progress.update(reached(false))
    }
    const records = replayInOrder(list.files, {
      registry: engine.registry,
      source,
      tenant: options.tenant ?? '',
      arrival: Date.now(),
      onProblem: (problem) => problems.push(problem),
      tally,
    })
    for await (const some of records) {
      for (const record of some) batch.push(record)
      if (batch.length >= BATCH) await flush()
    }
    await flush()
    await engine.durable()
    progress.finish(reached(true))
  } finally {
    progress.clear()
    await engine.close()
    await sink?.close()
  }
  if (seen.created > SUMMARIES_SHOWN)
    out.write(`… and ${seen.created - SUMMARIES_SHOWN} more alerts: \`plumbline alerts\` lists them.\n\n`)
  for (const problem of problems) out.write(`problem: ${problem.code}: ${problem.message}\n`)
  const report = reportText(counts, {
    identities: engine.identities(),
    alerts: seen,
    seconds: (performance.now() - started) / 1000,
    late: tally.late,
    unread: tally.unread,
  })
  out.write(`${report.text}\n`)
  return problems.length > 0 || !report.addsUp || sumOf(counts) > 0 ? EXIT.incomplete : EXIT.ok
}

const sumOf = (counts: BatchCounts): number => [...counts.dead.values()].reduce((a, b) => a + b, 0)

function timeOption(text: string): number {
  const time = Date.parse(text)
  if (Number.isNaN(time))
    throw Object.assign(
      new Error(`--learn-until ${text} is no ISO 8601 time, such as 2026-01-31T00:00:00Z`),
      {
        code: 'invalid-option',
      },
    )
  return time
}

import { readConfig } from '../../api/config.ts'
import { openEngine } from '../../api/engine.ts'
import { openEngine as openClickHouse } from '../../features/store/client.ts'
import { COLUMNS } from '../../features/store/columns.ts'
import { migrate } from '../../features/store/migrations.ts'
import { listFiles, openFile } from '../../ingest/files.ts'
import { uncompressed } from '../../ingest/gzip.ts'
import { readLines } from '../../ingest/lines.ts'
import { createNormaliser } from '../../ingest/normalise.ts'
import { openOrigins } from '../../ingest/origin.ts'
import type { ReadRecord } from '../../ingest/reader.ts'
import { replayInOrder } from '../../ingest/replay-order.ts'
import { loadSources } from '../../ingest/sources.ts'
import { bareRow } from './bare-row.ts'

/**
 * One measurement, in a process of its own so that its memory is its own: `measure.js <what> <log folder> <data dir>`.
 * Prints one JSON line: events, wall seconds and CPU seconds from the first byte to the last durable row, peak RSS.
 *
 * - `bare`: read, gunzip, JSON.parse, insert of as many columns with the same client. No logic: the baseline.
 * - `parse`, `read`, `normalise`: the first stages of the replay alone, for CPU by stage.
 * - `whole`: the replay as `plumbline replay` does it.
 */
const [what = 'whole', logs = '', data = ''] = process.argv.slice(2)
const BATCH = 10_000
const list = await listFiles([logs])
const [events, seconds, cpu] = await run()
const result = { what, events, seconds, cpu, rss: process.resourceUsage().maxRSS / 1024 }
process.stdout.write(`${JSON.stringify(result)}\n`)

async function run(): Promise<[number, number, number]> {
  switch (what) {
    case 'bare':
      return bare()
    case 'parse':
      return timed(() => parse(() => {}))
    case 'read':
      return read(false)
    case 'normalise':
      return read(true)
    default:
      return whole()
  }
}

async function timed(work: () => Promise<number>): Promise<[number, number, number]> {
  const cpuBefore = process.cpuUsage()
  const before = performance.now()
  const count = await work()
  const used = process.cpuUsage(cpuBefore)
  return [count, (performance.now() - before) / 1000, (used.user + used.system) / 1e6]
}

async function parse(take: (record: unknown) => void): Promise<number> {
  let count = 0
  for (const file of list.files) {
    const opened = await openFile(file)
    for await (const batch of readLines(uncompressed(opened.bytes)))
      for (const line of batch.lines) {
        take(JSON.parse(line.bytes.toString('utf8', line.start, line.end)))
        count += 1
      }
  }
  return count
}

async function bare(): Promise<[number, number, number]> {
  const engine = await openClickHouse({ path: data }, 1)
  const [session] = engine.sessions
  if (session === undefined) throw new Error('no session')
  await migrate(session, { replicated: false })
  const columns = COLUMNS.activity
  let rows: string[] = []
  let writing = Promise.resolve()
  const flush = (): void => {
    const body = rows.join('\n')
    rows = []
    const before = writing
    writing = before.then(() => session.insert('activity', columns, body))
  }
  const result = await timed(async () => {
    let count = 0
    for (const file of list.files) {
      const opened = await openFile(file)
      for await (const batch of readLines(uncompressed(opened.bytes))) {
        for (const line of batch.lines) {
          const record: Record<string, string> = JSON.parse(line.bytes.toString('utf8', line.start, line.end))
          rows.push(bareRow(record, ++count))
          if (rows.length >= BATCH) {
            await writing
            flush()
          }
        }
      }
    }
    if (rows.length > 0) flush()
    await writing
    return count
  })
  await session.close()
  await engine.release()
  return result
}

async function read(normalised: boolean): Promise<[number, number, number]> {
  const registry = await loadSources()
  const normalise = createNormaliser({ origins: await openOrigins() })
  return timed(async () => {
    let count = 0
    for await (const records of inOrder(registry))
      for (const { verdict, source } of records) {
        count += 1
        if (normalised && verdict.outcome === 'accepted' && source !== undefined)
          normalise(verdict.value, source, '')
      }
    return count
  })
}

function inOrder(registry: Awaited<ReturnType<typeof loadSources>>): AsyncGenerator<readonly ReadRecord[]> {
  return replayInOrder(list.files, {
    registry,
    tenant: '',
    arrival: Date.now(),
    onProblem: (problem) => {
      throw problem
    },
  })
}

async function whole(): Promise<[number, number, number]> {
  const engine = await openEngine(readConfig({ PLUMBLINE_DATA: data }), {
    includePeople: false,
    publish: async () => {},
  })
  const result = await timed(async () => {
    let count = 0
    let batch: ReadRecord[] = []
    for await (const records of inOrder(engine.registry)) {
      for (const record of records) batch.push(record)
      count += records.length
      if (batch.length >= BATCH) {
        await engine.take(batch)
        batch = []
      }
    }
    await engine.take(batch)
    await engine.durable()
    return count
  })
  await engine.close()
  return result
}

import { setTimeout as pause } from 'node:timers/promises'
import { z } from 'zod'
import { alertExplanation, alertSummary } from '../api/cli/alert-text.ts'
import { EXIT } from '../api/cli/exit.ts'
import { Progress } from '../api/cli/progress.ts'
import { productVersion, readConfig } from '../api/config.ts'
import { type Engine, openEngine } from '../api/engine.ts'
import { createIntake } from '../api/intake.ts'
import { createLogger } from '../api/logger.ts'
import { createMetrics } from '../api/metrics.ts'
import type { PublishedAlert } from '../api/pipeline.ts'
import { createServer } from '../api/server.ts'
import { openStore } from '../features/store/connection.ts'
import { createInterpreter, type ReadRecord } from '../ingest/reader.ts'
import { loadAttacks } from './attacks.ts'
import { type Company, createCompany } from './company/company.ts'
import { DAY } from './company/record.ts'
import { type Added, withAttacks } from './company/stream.ts'
import { Feed } from './feed.ts'
import { Random } from './random.ts'

/**
 * `npm start`: the main job on the embedded default. A SYNTHETIC company's last three weeks flow in and are learnt, then
 * it lives on in real time, with attacks under way. A second start on the same data directory goes on where it stopped.
 */
const HISTORY_DAYS = 21
const FUTURE_DAYS = 60
const SEED = 20
/** Attacks and when they begin, milliseconds after the company goes live. */
const ATTACKS: ReadonlyMap<string, number> = new Map([
  ['stolen-pod-token', 4_000],
  ['stolen-key-recon', 40_000],
])
const CURSOR = 'demo'
const STEP_MS = 1000

const config = readConfig(process.env)
const version = productVersion()
const out = (text: string): void => void process.stdout.write(`${text}\n`)
const progress = new Progress(process.stderr, 'history')
const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort())

try {
  await demo()
} catch (error) {
  progress.clear()
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'internal'
  process.stderr.write(`plumbline: ${code}: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = EXIT.cannot
}

async function demo(): Promise<void> {
  out(`Plumbline ${version}: ClickHouse in this process, data in ${config.data}. The company is synthetic.`)
  const live = await liveSince()
  const start = live - HISTORY_DAYS * DAY
  const company = createCompany({ seed: SEED, start, days: HISTORY_DAYS + FUTURE_DAYS })
  const attacks = await injected(company, live)
  let shown = 0
  const publish = async (alerts: readonly PublishedAlert[]): Promise<void> => {
    for (const { alert, change } of alerts) {
      if (change === 'update') continue
      progress.clear()
      shown += 1
      out(`\n${shown === 1 ? alertExplanation(alert) : alertSummary(alert, change)}`)
      if (shown === 1)
        out(
          `\nFirst explained alert ${process.uptime().toFixed(1)} s after the start. More: npx plumbline explain ${alert.uid}`,
        )
    }
  }
  const engine = await openEngine(config, { learnUntil: live, includePeople: false, publish })
  try {
    const position = await history(engine, company, attacks)
    await serveAndLive(engine, company, attacks, position)
  } finally {
    await engine.close()
  }
  out('Stopped. `npm start` goes on from here.')
}

/** When the company went live: remembered in the store, so that a second start means the same company. */
async function liveSince(): Promise<number> {
  const store = await openStore(config.store)
  try {
    const saved = await store.cursor(CURSOR)
    if (saved !== undefined) return z.object({ live: z.number() }).parse(JSON.parse(saved)).live
    const live = Date.now() - (Date.now() % STEP_MS)
    await store.setCursor(CURSOR, JSON.stringify({ live }))
    return live
  } finally {
    await store.close()
  }
}

async function injected(company: Company, live: number): Promise<readonly Added[]> {
  const attacks = await loadAttacks()
  return attacks.flatMap((attack) => {
    const delay = ATTACKS.get(attack.id)
    return delay === undefined ? [] : [attack.inject({ company, random: new Random(SEED), at: live + delay })]
  })
}

/** Takes everything from where the store stands up to now; returns the event time reached. */
async function history(engine: Engine, company: Company, attacks: readonly Added[]): Promise<number> {
  const { maxTime } = await engine.store.horizon()
  const from = Math.max(company.start, maxTime)
  const now = Date.now()
  const feed = new Feed(engine, { arrival: now, origin: 'synthetic company' })
  for (const batch of withAttacks(company, attacks, from, now)) {
    if (stopping.signal.aborted) break
    await feed.give(batch)
    progress.update({
      done: feed.counts.read,
      share: (feed.position - from) / Math.max(1, now - from),
      position: feed.position,
    })
  }
  await feed.flush()
  await engine.durable()
  progress.clear()
  const seconds = process.uptime()
  out(
    `${feed.counts.scored.toLocaleString('en')} activities of ${engine.identities()} identities taken in ${seconds.toFixed(1)} s; live now.`,
  )
  return feed.position || from
}

async function serveAndLive(
  engine: Engine,
  company: Company,
  attacks: readonly Added[],
  position: number,
): Promise<void> {
  const logger = createLogger('warn')
  const metrics = createMetrics()
  const intake = createIntake({ engine, metrics, logger })
  const app = createServer({ engine, intake, metrics, logger, version, token: config.token })
  try {
    await app.listen({ host: config.host, port: config.port })
    out(`The API listens on http://${config.host}:${config.port} (try /v1/alerts). Ctrl-C stops.`)
    let from = position + 1
    while (!stopping.signal.aborted) {
      const to = Math.min(Date.now(), company.end)
      const records = read(engine, company, attacks, from, to)
      if (records.length > 0) await intake.ingest(records)
      from = Math.max(from, to)
      await pause(STEP_MS, undefined, { signal: stopping.signal }).catch(() => {})
    }
  } finally {
    await app.close()
    await intake.close()
    metrics.stop()
  }
}

function read(
  engine: Engine,
  company: Company,
  attacks: readonly Added[],
  from: number,
  to: number,
): ReadRecord[] {
  const interpreter = createInterpreter({
    registry: engine.registry,
    tenant: '',
    arrival: to,
    origin: 'synthetic company',
  })
  const records: ReadRecord[] = []
  let line = 0
  for (const batch of withAttacks(company, attacks, from, to))
    for (const record of batch) {
      const bytes = Buffer.from(record.line)
      line += 1
      interpreter.interpretLine(
        { bytes, start: 0, end: bytes.length, line, offset: 0, fault: undefined },
        records,
      )
    }
  return records
}

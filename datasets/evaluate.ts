import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { median } from 'simple-statistics'
import { Progress } from '../api/cli/progress.ts'
import { readConfig } from '../api/config.ts'
import { openEngine } from '../api/engine.ts'
import type { PublishedAlert } from '../api/pipeline.ts'
import type { Alert } from '../detectors/alert.ts'
import type { Attack, Injection } from './attack.ts'
import { loadAttacks } from './attacks.ts'
import { createCompany } from './company/company.ts'
import { DAY, HOUR } from './company/record.ts'
import { withAttacks } from './company/stream.ts'
import { Feed } from './feed.ts'
import { Random } from './random.ts'

/**
 * Accuracy on the synthetic company: learn 30 days, then 15 days scored with every attack of the catalogue grafted in once.
 * Synthetic data ranks designs; it does not predict field results. Usage: `npm run evaluate [seed] [identities] [budget]`.
 */
const LEARN_DAYS = 30
const SCORED_DAYS = 15

interface Planned {
  readonly attack: Attack
  readonly injection: Injection
  readonly from: number
  readonly to: number
}

const [seed = 1, identities = 45, alertsPerDay = 1] = process.argv.slice(2).map(Number)
const start = Date.UTC(2026, 3, 6)
const company = createCompany({ seed, start, days: LEARN_DAYS + SCORED_DAYS, identities })
const live = start + LEARN_DAYS * DAY
const planned = await plan()
const folder = mkdtempSync(join(tmpdir(), 'plumbline-evaluate-'))
const alerts = new Map<string, Alert>()
const publish = async (published: readonly PublishedAlert[]): Promise<void> => {
  for (const { alert } of published) alerts.set(alert.uid, alert)
}
const config = readConfig({ PLUMBLINE_DATA: folder, PLUMBLINE_BUDGET: String(alertsPerDay) })
const engine = await openEngine(config, { learnUntil: live, includePeople: false, publish })
const progress = new Progress(process.stderr, 'evaluate')
try {
  const feed = new Feed(engine, { arrival: company.end, origin: 'synthetic' })
  for (const batch of withAttacks(
    company,
    planned.map((p) => p.injection),
    start,
    company.end,
  )) {
    await feed.give(batch)
    progress.update({
      done: feed.counts.read,
      share: (feed.position - start) / (company.end - start),
      position: feed.position,
    })
  }
  await feed.flush()
  await engine.durable()
  progress.clear()
  report(feed.counts.read)
} finally {
  await engine.close()
  rmSync(folder, { recursive: true, force: true })
}

async function plan(): Promise<Planned[]> {
  const attacks = await loadAttacks()
  return attacks.map((attack, index) => {
    const random = new Random(seed, index, 77)
    const at =
      live + Math.floor((index * (SCORED_DAYS - 7) * DAY) / attacks.length) + 9 * HOUR + random.int(6 * HOUR)
    const injection = attack.inject({ company, random, at })
    const times = injection.records.map((r) => r.time)
    return { attack, injection, from: Math.min(...times), to: Math.max(...times) }
  })
}

function report(records: number): void {
  const out = (line: string): void => void process.stdout.write(`${line}\n`)
  out(
    `Synthetic company, seed ${seed}: ${company.identities.length} identities, ${records.toLocaleString('en')} records, budget ${alertsPerDay}/day`,
  )
  const explained = new Set<string>()
  const byLoudness = new Map<string, { found: number; of: number }>()
  const events: number[] = []
  for (const { attack, injection, from, to } of planned) {
    const hits = [...alerts.values()].filter(
      (a) => a.identity.id === injection.identity && a.lastTime >= from && a.firstTime <= to + HOUR,
    )
    const malicious = new Set(injection.malicious)
    const first = hits.find((a) => a.artefacts.some((e) => malicious.has(e.eventId)))
    for (const hit of hits) explained.add(hit.uid)
    const tally = byLoudness.get(attack.loudness) ?? { found: 0, of: 0 }
    tally.of += 1
    if (first !== undefined) {
      tally.found += 1
      events.push(injection.records.filter((r) => r.time <= first.raisedTime).length)
    }
    byLoudness.set(attack.loudness, tally)
    out(
      `  ${first === undefined ? 'missed' : 'found '}  ${attack.loudness.padEnd(8)} ${attack.id.padEnd(34)} ${first === undefined ? '' : first.causes.map((c) => c.detector).join(', ')}`,
    )
  }
  for (const [loudness, { found, of }] of byLoudness) out(`recall ${loudness}: ${found} of ${of}`)
  if (events.length > 0) out(`median malicious events until the alert: ${median(events)}`)
  const wrong = [...alerts.values()].filter((a) => !explained.has(a.uid))
  out(
    `false alerts: ${wrong.length} in ${SCORED_DAYS} days, ${(wrong.length / SCORED_DAYS).toFixed(2)} a day`,
  )
  for (const alert of wrong)
    out(
      `  ${new Date(alert.firstTime).toISOString().slice(0, 16)} ${alert.identity.id}: ${alert.causes.map((c) => `${c.detector} ${c.value.slice(0, 40)} p=${c.p}`).join('; ')}`,
    )
}

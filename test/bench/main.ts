import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { median } from 'simple-statistics'
import { z } from 'zod'
import { writeLoad } from './input.ts'
import { benchKafka } from './kafka.ts'

/**
 * `npm run bench`: ratios against a bare baseline in the same run, CPU by stage, peak memory, and how the cost of an event
 * grows with identities and history. Rounds are interleaved, because the machine has fast and slow phases. It prints, and
 * never fails on time. `-- --quick` leaves out the growth part; `-- --kafka [--soak]` measures Kafka instead.
 */
const Result = z.object({
  what: z.string(),
  events: z.number(),
  seconds: z.number(),
  cpu: z.number(),
  rss: z.number(),
})
type Result = z.infer<typeof Result>
const ROUNDS = 3
const quick = process.argv.includes('--quick')
const folder = mkdtempSync(join(tmpdir(), 'plumbline-bench-'))
const script = fileURLToPath(new URL('./measure.js', import.meta.url))
const out = (line: string): void => void process.stdout.write(`${line}\n`)
let runs = 0

function measure(what: string, logs: string): Result {
  const data = join(folder, `data-${++runs}`)
  const child = spawnSync(
    process.execPath,
    ['--max-semi-space-size=64', '--max-old-space-size=1024', script, what, logs, data],
    {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  rmSync(data, { recursive: true, force: true })
  if (child.status !== 0) throw new Error(`${what} failed`)
  return Result.parse(JSON.parse(child.stdout))
}

const perEvent = (r: Result): number => (r.cpu / r.events) * 1e6
const mid = (results: readonly Result[], of: (r: Result) => number): number => median(results.map(of))

if (process.argv.includes('--kafka')) {
  await benchKafka(process.argv.includes('--soak'))
  process.exit(0)
}

try {
  const logs = await writeLoad(
    join(folder, 'logs'),
    { seed: 1, identities: 1000, events: 300_000, days: 10 },
    true,
  )
  const bare: Result[] = []
  const whole: Result[] = []
  for (let round = 0; round < ROUNDS; round++) {
    bare.push(measure('bare', logs))
    whole.push(measure('whole', logs))
  }
  const ratios = bare.map((b, i) => b.seconds / (whole[i]?.seconds ?? Number.NaN))
  out(`300,000 CloudTrail-sized records (gzip), 1,000 identities, 10 days; ${ROUNDS} interleaved rounds`)
  out(
    `  bare   ${rate(bare)} events/s, ${mid(bare, perEvent).toFixed(1)} µs CPU/event, peak RSS ${mid(bare, (r) => r.rss).toFixed(0)} MB`,
  )
  out(
    `  whole  ${rate(whole)} events/s, ${mid(whole, perEvent).toFixed(1)} µs CPU/event, peak RSS ${mid(whole, (r) => r.rss).toFixed(0)} MB`,
  )
  out(
    `  whole ÷ bare: ${median(ratios).toFixed(2)} (rounds ${ratios.map((r) => r.toFixed(2)).join(', ')}); the goal is 0.5`,
  )
  const stages = ['parse', 'read', 'normalise'].map((what) => measure(what, logs))
  const steps = [...stages, ...whole.slice(-1)].map(perEvent)
  const names = [
    'read + gunzip + JSON.parse',
    'recognise, validate, source, order',
    'normalise + origin',
    'score + encode + store',
  ]
  names.forEach((name, i) => {
    out(`  ${name.padEnd(36)} ${((steps[i] ?? 0) - (steps[i - 1] ?? 0)).toFixed(1)} µs CPU/event`)
  })
  if (!quick) await growth()
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function rate(results: readonly Result[]): string {
  return Math.round(mid(results, (r) => r.events / r.seconds)).toLocaleString('en')
}

/** Cost per event with the events of an active hour held at ten: more identities, and more history. */
async function growth(): Promise<void> {
  const cases = [
    { name: '1,000 identities, 30 days', identities: 1000, days: 30 },
    { name: '100,000 identities, 30 days', identities: 100_000, days: 30 },
    { name: '10,000 identities, 10 days', identities: 10_000, days: 10 },
    { name: '10,000 identities, 60 days', identities: 10_000, days: 60 },
  ]
  out('1,000,000 records each, 10 per active identity-hour')
  const costs: number[] = []
  for (const { name, identities, days } of cases) {
    const logs = await writeLoad(join(folder, name), { seed: 2, identities, events: 1_000_000, days }, false)
    const result = measure('whole', logs)
    rmSync(logs, { recursive: true, force: true })
    costs.push(result.seconds / result.events)
    out(
      `  ${name.padEnd(28)} ${Math.round(result.events / result.seconds).toLocaleString('en')} events/s, ${perEvent(result).toFixed(1)} µs CPU/event, peak RSS ${result.rss.toFixed(0)} MB`,
    )
  }
  const [few = 0, many = 0, short = 0, long = 0] = costs
  out(
    `  100,000 ÷ 1,000 identities: ${(many / few).toFixed(2)}; 60 ÷ 10 days: ${(long / short).toFixed(2)}; the goal is at most 1.25`,
  )
}

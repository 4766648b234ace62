import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { loadAttacks } from '../../datasets/attacks.ts'
import { createCompany } from '../../datasets/company/company.ts'
import { exportCompany } from '../../datasets/company/export.ts'
import { DAY, HOUR } from '../../datasets/company/record.ts'
import { Random } from '../../datasets/random.ts'
import { type Compiled, compile } from '../support/compiled.ts'

/** The promises about crashes and repetition, by really killing the program: `plumbline replay` as it is built. */
const PLUMBLINE = join(fileURLToPath(new URL('../..', import.meta.url)), 'dist/api/cli/main.js')
const KILLS = 10
const folder = mkdtempSync(join(tmpdir(), 'plumbline-kill-'))
const logs = join(folder, 'logs')
const start = Date.UTC(2026, 4, 4)
const learnUntil = start + 5 * DAY
let compiled: Compiled

beforeAll(async () => {
  compiled = compile(['test/support/dump-store.ts'])
  const company = createCompany({ seed: 3, start, days: 8, identities: 36 })
  const wanted = new Set([
    'stolen-pod-token',
    'stolen-key-recon',
    'self-escalation',
    'partner-key-enumeration',
    'vault-token-theft',
  ])
  const attacks = (await loadAttacks()).filter((a) => wanted.has(a.id))
  await exportCompany({
    company,
    from: start,
    to: start + 8 * DAY,
    folder: logs,
    attacks: attacks.map((attack, index) => ({
      id: attack.id,
      injection: attack.inject({ company, random: new Random(3), at: learnUntil + (9 + 11 * index) * HOUR }),
    })),
  })
}, 120_000)
afterAll(() => {
  compiled.remove()
  rmSync(folder, { recursive: true, force: true })
})

const argumentsFor = (data: string): string[] => [
  PLUMBLINE,
  'replay',
  logs,
  '--learn-until',
  new Date(learnUntil).toISOString(),
  '--data',
  join(folder, data),
  '--alerts',
  join(folder, `${data}.ndjson`),
]

function replay(data: string): string {
  const run = spawnSync(process.execPath, argumentsFor(data), { encoding: 'utf8' })
  // A slow machine sees progress lines; nothing else may stand there.
  expect(run.stderr.replace(/^replay .*\n/gm, '')).toBe('')
  expect(run.status).toBe(0)
  return run.stdout
}

function dump(data: string): string[] {
  const script = compiled.module('test/support/dump-store.ts')
  const run = spawnSync(process.execPath, [script, join(folder, data)], {
    encoding: 'utf8',
    maxBuffer: 1 << 30,
  })
  expect(run.status).toBe(0)
  return run.stdout.split('\n').filter((line) => line !== '')
}

/** Rows that only one of two dumps has: short enough to read when there are many. */
function differences(left: readonly string[], right: readonly string[]): string[] {
  const [a, b] = [new Set(left), new Set(right)]
  return [
    ...left.filter((row) => !b.has(row)).map((row) => `- ${row}`),
    ...right.filter((row) => !a.has(row)).map((row) => `+ ${row}`),
  ]
}

function check(data: string): void {
  const run = spawnSync(process.execPath, [PLUMBLINE, 'rebuild', '--check', '--data', join(folder, data)], {
    encoding: 'utf8',
  })
  expect(run.stdout).toContain('Equal')
  expect(run.status).toBe(0)
}

const alertsOf = (data: string): string => readFileSync(join(folder, `${data}.ndjson`), 'utf8')

it('two replays into two directories give byte-identical alerts and equal baselines', () => {
  replay('a')
  replay('b')
  expect(alertsOf('a').split('\n').length).toBeGreaterThan(5)
  expect(alertsOf('b')).toBe(alertsOf('a'))
  expect(differences(dump('a'), dump('b')).slice(0, 20)).toEqual([])
  check('a')
}, 120_000)

it('the same replay again changes nothing', () => {
  const before = dump('a')
  const alerts = alertsOf('a')
  const text = replay('a')
  expect(text).toMatch(/scored 0 \+ .*duplicate [\d,]+ \+ dead 0/)
  expect(alertsOf('a')).toBe(alerts)
  expect(differences(before, dump('a')).slice(0, 20)).toEqual([])
}, 120_000)

it(`${KILLS} kills -9 in the middle of a replay leave the same baselines and alerts`, async () => {
  const random = new Random(5)
  let killed = 0
  for (let cycle = 0; cycle < KILLS; cycle++) {
    const child = spawn(process.execPath, argumentsFor('killed'), { stdio: 'ignore' })
    const exited = once(child, 'exit')
    // From while the store opens to deep in the replay; each cycle gets a little further than the ones before.
    const timer = setTimeout(() => child.kill('SIGKILL'), 600 + cycle * 120 + random.int(900))
    const [, signal] = await exited
    clearTimeout(timer)
    if (signal === 'SIGKILL') killed += 1
  }
  expect(killed).toBeGreaterThanOrEqual(KILLS - 2)
  replay('killed')
  check('killed')
  expect(differences(dump('a'), dump('killed')).slice(0, 20)).toEqual([])
  // Published at least once: the last line of each finding is the same.
  const last = (data: string): Map<string, string> =>
    new Map(
      alertsOf(data)
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => {
          const finding: { finding_info: { uid: string }; metadata: { uid: string } } = JSON.parse(line)
          return [finding.finding_info.uid, finding.metadata.uid] as const
        }),
    )
  expect([...last('killed').keys()].sort()).toEqual([...last('a').keys()].sort())
}, 300_000)

import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { loadAttacks } from '../../datasets/attacks.ts'
import { createCompany } from '../../datasets/company/company.ts'
import { eventIdOf } from '../../datasets/company/event-id.ts'
import { DAY, HOUR } from '../../datasets/company/record.ts'
import { withAttacks } from '../../datasets/company/stream.ts'
import { Random } from '../../datasets/random.ts'
import { loadSources } from '../../ingest/sources.ts'

const start = Date.parse('2026-09-01T00:00:00Z')
const company = createCompany({ seed: 7, start, days: 30, scale: 0.1 })
const attacks = await loadAttacks()
const registry = await loadSources()
const at = start + 14 * DAY + 10 * HOUR + 123
const inject = (attack: (typeof attacks)[number], seed = 1) =>
  attack.inject({ company, random: new Random(seed), at })

describe('the catalogue', () => {
  it('holds at least fourteen attacks of every loudness, on every kind of log', () => {
    expect(attacks.length).toBeGreaterThanOrEqual(14)
    expect(new Set(attacks.map(({ loudness }) => loudness))).toEqual(new Set(['loud', 'medium', 'stealthy']))
    for (const plane of ['cloudtrail', 'kubernetes-audit', 'aws-api-gateway', 'vault-audit', 'keycloak']) {
      expect(attacks.map((attack) => attack.plane)).toContain(plane)
    }
    for (const { attacks: techniques } of attacks) {
      expect(techniques.length).toBeGreaterThan(0)
      for (const { tactic, technique } of techniques) {
        expect(tactic).toMatch(/^TA00\d\d$/)
        expect(technique).toMatch(/^T1\d{3}(\.\d{3})?$/)
      }
    }
  })

  it('refuses a folder with a broken entry, naming all of them', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'plumbline-attacks-'))
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
    writeFileSync(join(folder, 'empty.js'), 'export const nothing = 1\n')
    writeFileSync(
      join(folder, 'misnamed.js'),
      "export const attack = { id: 'other', inject() {}, plane: 'okta', loudness: 'loud', attacks: [] }\n",
    )
    const loading = loadAttacks(pathToFileURL(`${folder}/`))
    await expect(loading).rejects.toMatchObject({ code: 'invalid-catalogue' })
    await expect(loading).rejects.toThrow(/empty\.js[\s\S]*misnamed\.js/)
  })
})

describe.each(attacks.map((attack) => [attack.id, attack] as const))('%s', (_id, attack) => {
  const injection = inject(attack)

  it('writes the same bytes for the same seed, in order of time, from its beginning on', () => {
    expect(inject(attack)).toEqual(injection)
    const times = injection.records.map(({ time }) => time)
    expect([...times].sort((a, b) => a - b)).toEqual(times)
    expect(times.length).toBeGreaterThan(1)
    expect(times[0]).toBeGreaterThanOrEqual(at - 1000)
    expect(times[0]).toBeLessThan(at + DAY)
    expect(injection.records.every(({ source }) => source === attack.plane)).toBe(true)
  })

  const source = registry.byId(attack.plane)
  if (source === undefined) console.warn(`SKIPPED: no ingest/sources/${attack.plane}.ts yet for ${attack.id}`)
  it.skipIf(source === undefined && process.env.CI === undefined)(
    'is read as what the victim did, and by nobody outside the company',
    () => {
      const known = new Set(company.identities.map(({ id }) => id))
      const context = { tenant: '', arrival: at + 9 * DAY, recordHash: () => 'hash' }
      let victims = 0
      let accepted = 0
      for (const record of injection.records) {
        const verdict = source?.read(JSON.parse(record.line), context)
        if (verdict?.outcome === 'filtered') continue
        if (verdict?.outcome !== 'accepted') throw new Error(`${JSON.stringify(verdict)} ${record.line}`)
        accepted += 1
        expect(verdict.value.time).toBe(record.time)
        expect(known.has(verdict.value.identity.id)).toBe(true)
        expect(injection.malicious).toContain(verdict.value.eventId)
        if (verdict.value.identity.id === injection.identity) victims += 1
      }
      expect(victims).toBeGreaterThan(1)
      expect(victims).toBeGreaterThanOrEqual(accepted - 1)
    },
  )
})

describe('the mixed stream', () => {
  it('holds every malicious event exactly once, in order, and loses nothing of the company', () => {
    const injections = attacks.map((attack) => inject(attack, 5))
    const [from, to] = [at - HOUR, at + 8 * DAY]
    const expected = new Map<string, number>()
    for (const { records, malicious } of injections) {
      expect(new Set(malicious).size).toBe(malicious.length)
      for (const record of records) {
        const id = eventIdOf(record)
        expect(malicious).toContain(id)
        expected.set(id, (expected.get(id) ?? 0) + 1)
      }
    }
    for (const { records, malicious } of injections) {
      const lines = records[0]?.source === 'vault-audit' ? 2 : 1
      for (const id of malicious) expect([id, expected.get(id)]).toEqual([id, lines])
    }
    let benign = 0
    for (const batch of company.records(from, to)) benign += batch.length
    const found = new Map<string, number>()
    let total = 0
    let last = from
    for (const batch of withAttacks(company, injections, from, to)) {
      for (const record of batch) {
        total += 1
        expect(record.time).toBeGreaterThanOrEqual(last)
        last = record.time
        const id = eventIdOf(record)
        if (expected.has(id)) found.set(id, (found.get(id) ?? 0) + 1)
      }
    }
    expect(found).toEqual(expected)
    expect(total).toBe(benign + injections.reduce((sum, { records }) => sum + records.length, 0))
  })
})

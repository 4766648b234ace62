import { describe, expect, it } from 'vitest'
import { createCompany } from '../../../datasets/company/company.ts'
import { COMPANY_SOURCES, DAY } from '../../../datasets/company/record.ts'
import { openOrigins } from '../../../ingest/origin.ts'
import { loadSources } from '../../../ingest/sources.ts'

const start = Date.parse('2026-09-01T00:00:00Z')
const company = createCompany({ seed: 7, start, days: 30, scale: 0.5 })
const registry = await loadSources()
const origins = await openOrigins()
const records = [...company.records(start, start + 3 * DAY)].flat()

describe.each(COMPANY_SOURCES)('records of %s', (id) => {
  const source = registry.byId(id)
  if (source === undefined)
    console.warn(`SKIPPED: no ingest/sources/${id}.ts yet; its synthetic records are unproved`)

  it.skipIf(source === undefined && process.env.CI === undefined)(
    'are recognised as such, read without loss, and come from the registered identities at the registered time',
    () => {
      const registered = new Set(company.identities.filter((one) => one.source === id).map((one) => one.id))
      const seen = new Set<string>()
      const context = { tenant: '', arrival: start + 4 * DAY, recordHash: () => 'hash' }
      for (const record of records) {
        if (record.source !== id) continue
        const entry = JSON.parse(record.line)
        expect(registry.recognise(entry)?.id).toBe(id)
        const verdict = source?.read(entry, context)
        if (verdict?.outcome === 'filtered') continue
        if (verdict?.outcome !== 'accepted') throw new Error(`${JSON.stringify(verdict)} ${record.line}`)
        expect(verdict.value.time).toBe(record.time)
        seen.add(verdict.value.identity.id)
      }
      expect([...seen].sort()).toEqual([...registered].sort())
    },
  )
})

describe('the tenant', () => {
  it('is part of the ids that the sources give', () => {
    const other = createCompany({ seed: 7, start, days: 1, scale: 0.1, tenant: 'blue' })
    const registered = new Set(other.identities.map(({ id }) => id))
    const context = { tenant: 'blue', arrival: start + DAY, recordHash: () => 'hash' }
    let accepted = 0
    for (const record of [...other.records(start, start + DAY / 4)].flat()) {
      const verdict = registry.byId(record.source)?.read(JSON.parse(record.line), context)
      if (verdict?.outcome !== 'accepted') continue
      accepted += 1
      expect(registered).toContain(verdict.value.identity.id)
    }
    expect(accepted).toBeGreaterThan(100)
  })
})

describe('origins', () => {
  it('lie where the company says: robots in clouds, partners in one country each', () => {
    const countries = new Map<string, Set<string>>()
    for (const { source, line } of records) {
      if (source !== 'aws-api-gateway') continue
      const { apiKeyId, ip } = JSON.parse(line)
      const { country } = origins.locate(ip)
      countries.set(apiKeyId, (countries.get(apiKeyId) ?? new Set()).add(country))
    }
    expect(countries.size).toBeGreaterThan(1)
    for (const set of countries.values()) {
      expect(set.size).toBe(1)
      expect(set.has('')).toBe(false)
    }
    const instance = company.awsOf('instance-role').credentialAt(start + DAY, 0).address
    expect(origins.locate(instance).network).toBe('aws')
    const bot = company.awsOf('long-term-key').credentialAt(start + DAY, 0).address
    expect(origins.locate(bot).country).toBe('DE')
  })
})

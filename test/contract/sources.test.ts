import { describe, expect, it } from 'vitest'
import { isJsonObject } from '../../ingest/json-values.ts'
import type { JsonObject, Sample, Source, SourceContext } from '../../ingest/source.ts'
import { loadSources } from '../../ingest/sources.ts'

/** One exam for all sources: a new file in `ingest/sources/` sits it without being listed anywhere. */
const registry = await loadSources()
const context: SourceContext = {
  tenant: '',
  arrival: Date.UTC(2026, 10, 23),
  recordHash: () => 'hash-of-the-record',
}

const recordOf = (source: Source, sample: Sample): JsonObject => {
  if (typeof sample.record !== 'string') return sample.record
  const record = source.parseLine?.(sample.record)
  if (record === undefined || record === null)
    throw new Error(`${source.id} does not read its sample ${sample.name}`)
  return record
}

/** The record with another text in place of one that stands somewhere in it. */
function replaced(record: Sample['record'], text: string, by: string): Sample['record'] {
  if (typeof record === 'string') return record.replace(text, by)
  const copy: unknown = JSON.parse(JSON.stringify(record), (_key, value: unknown) =>
    value === text ? by : value,
  )
  if (!isJsonObject(copy)) throw new Error('unreachable')
  return copy
}

const at = (value: unknown, path: string): unknown =>
  path.split('.').reduce<unknown>((v, key) => {
    if (typeof v !== 'object' || v === null) return undefined
    return Object.entries(v).find(([k]) => k === key)?.[1]
  }, value)

it('knows the formats of the design', () => {
  expect(registry.all.map((s) => s.id)).toEqual([
    'access-log',
    'aws-api-gateway',
    'cloudtrail',
    'entra-sign-in',
    'envoy',
    'keycloak',
    'kong',
    'kubernetes-audit',
    'okta',
    'sshd',
    'vault-audit',
  ])
})

describe.each(registry.all)('$id', (source) => {
  it('says what it sees, misses and needs', () => {
    for (const text of [source.title, source.sees, source.misses, source.needs])
      expect(text.length).toBeGreaterThan(10)
    expect(source.documentation).toMatch(/^https:\/\//)
    expect(source.samples.length).toBeGreaterThanOrEqual(4)
    expect(source.samples.some((s) => s.expect.outcome === 'accepted')).toBe(true)
  })

  it.each(source.samples)('sample: $name', (sample) => {
    const { record: raw } = sample
    if (typeof raw === 'string') {
      expect(registry.recogniseLine(raw)?.source.id).toBe(source.id)
      const readers = registry.all.filter((s) => (s.parseLine?.(raw) ?? null) !== null)
      expect(readers.map((s) => s.id)).toEqual([source.id])
    } else expect(registry.all.filter((s) => s.recognises(raw)).map((s) => s.id)).toEqual([source.id])
    const record = recordOf(source, sample)
    const before = JSON.stringify(record)
    const verdict = source.read(record, context)
    expect(verdict.outcome).toBe(sample.expect.outcome)
    expect(JSON.stringify(record)).toBe(before)
    expect(source.read(record, context)).toEqual(verdict)
    if (sample.expect.outcome === 'accepted') {
      if (verdict.outcome !== 'accepted') throw new Error('unreachable')
      for (const [path, value] of Object.entries(sample.expect.draft))
        expect([path, at(verdict.value, path)]).toEqual([path, value])
      expect(Number.isInteger(verdict.value.time)).toBe(true)
      for (const text of [
        verdict.value.identity.id,
        verdict.value.eventId,
        verdict.value.action,
        verdict.value.service,
      ])
        expect(text).not.toBe('')
    } else if (verdict.outcome !== 'accepted') expect(verdict.reason).toBe(sample.expect.reason)
  })

  it('takes nobody for a person, or for somebody else, on the word of a user agent', () => {
    for (const sample of source.samples) {
      const verdict = source.read(recordOf(source, sample), context)
      if (verdict.outcome !== 'accepted') continue
      const { identity, userAgent = '' } = verdict.value
      if (userAgent === '') continue
      for (const claimed of ['Mozilla/5.0 (X11) Firefox/130.0', 'signin.amazonaws.com', 'curl/8.5.0']) {
        const record = replaced(sample.record, userAgent, claimed)
        const other = source.read(recordOf(source, { ...sample, record }), context)
        if (other.outcome !== 'accepted') throw new Error(`${sample.name}: ${other.outcome}`)
        expect(other.value.userAgent).toBe(claimed)
        expect(other.value.identity).toEqual(identity)
      }
    }
  })

  it('never throws, whatever stands where something was', () => {
    const hostile: unknown[] = [
      null,
      0,
      -1,
      1e308,
      '',
      '\u0000',
      '__proto__',
      true,
      [],
      [null],
      {},
      { a: { b: [] } },
    ]
    for (const sample of source.samples) {
      const record = recordOf(source, sample)
      for (const key of Object.keys(record))
        for (const value of hostile) {
          const verdict = source.read({ ...record, [key]: value }, context)
          expect(['accepted', 'filtered', 'dead']).toContain(verdict.outcome)
          if (verdict.outcome === 'dead') expect(verdict.reason).not.toBe('source-fault')
        }
    }
    expect(source.read({}, context).outcome).not.toBe('accepted')
    expect(
      source.read(JSON.parse('{"__proto__":{"x":1},"constructor":{"prototype":{}}}'), context).outcome,
    ).not.toBe('accepted')
  })

  it('does not recognise what is not its own', () => {
    for (const record of [{}, { kind: 0 }, { a: 1 }, { message: 'x' }, { log: {} }])
      expect(source.recognises(record)).toBe(false)
    for (const line of ['', 'x', '{}', 'a b c d', '"', '[[[[', '- - - - -'])
      expect(source.parseLine?.(line) ?? null).toBeNull()
  })
})

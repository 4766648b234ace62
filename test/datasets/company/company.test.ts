import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Company, createCompany } from '../../../datasets/company/company.ts'
import { eventIdOf } from '../../../datasets/company/event-id.ts'
import { COMPANY_SOURCES, type CompanyRecord, DAY, HOUR } from '../../../datasets/company/record.ts'

const start = Date.parse('2026-09-01T00:00:00Z')
const make = (seed = 7, days = 30): Company => createCompany({ seed, start, days })
const company = make()

function all(from: number, to: number, of = company): CompanyRecord[] {
  return [...of.records(from, to)].flat()
}

const fingerprint = (records: readonly CompanyRecord[]): string => {
  const hash = createHash('sha256')
  for (const { time, source, line } of records) hash.update(`${time} ${source} ${line}\n`)
  return hash.digest('hex')
}

describe('records', () => {
  const day = all(start + DAY, start + 2 * DAY)

  it('come in order of time, inside the interval, in bounded batches', () => {
    let last = start + DAY
    for (const batch of company.records(start + DAY, start + 2 * DAY)) {
      expect(batch.length).toBeGreaterThan(0)
      expect(batch.length).toBeLessThanOrEqual(4096)
      for (const { time } of batch) {
        expect(time).toBeGreaterThanOrEqual(last)
        last = time
      }
    }
    expect(last).toBeLessThan(start + 2 * DAY)
  })

  it('are the same bytes for the same seed, and others for another', () => {
    const hour = fingerprint(all(start + 9 * HOUR, start + 10 * HOUR))
    expect(fingerprint(all(start + 9 * HOUR, start + 10 * HOUR, make()))).toBe(hour)
    expect(fingerprint(all(start + 9 * HOUR, start + 10 * HOUR, make(8)))).not.toBe(hour)
  })

  it('do not depend on where an earlier call stopped', () => {
    const from = start + 5 * DAY + 7 * HOUR
    const to = from + 5 * HOUR
    const whole = fingerprint(all(from, to))
    fc.assert(
      fc.property(fc.array(fc.integer({ min: from, max: to }), { maxLength: 3 }), (cuts) => {
        const edges = [from, ...cuts.sort((a, b) => a - b), to]
        const other = make()
        const parts = edges.slice(1).flatMap((edge, i) => all(edges[i] ?? from, edge, other))
        expect(fingerprint(parts)).toBe(whole)
      }),
      { numRuns: 8 },
    )
  })

  it('end with the company and do not begin before it', () => {
    const short = createCompany({ seed: 1, start: start + 90 * 60_000, days: 1 })
    const records = all(start - DAY, start + 30 * DAY, short)
    expect(records.length).toBeGreaterThan(5000)
    expect(records[0]?.time).toBeGreaterThanOrEqual(short.start)
    expect(records.at(-1)?.time).toBeLessThan(short.end)
  })

  it('are one line of JSON each, of the size that the producer would write', () => {
    const sizes = new Map<string, number[]>()
    for (const { source, line } of day) {
      expect(line.includes('\n')).toBe(false)
      JSON.parse(line)
      sizes.set(source, [...(sizes.get(source) ?? []), line.length].slice(-2000))
    }
    const mean = (source: string): number => {
      const all = sizes.get(source) ?? []
      return all.reduce((a, b) => a + b, 0) / all.length
    }
    expect([...sizes.keys()].sort()).toEqual([...COMPANY_SOURCES].sort())
    expect(mean('cloudtrail')).toBeGreaterThan(1200)
    expect(mean('cloudtrail')).toBeLessThan(2100)
    expect(mean('kubernetes-audit')).toBeGreaterThan(1200)
    expect(mean('kubernetes-audit')).toBeLessThan(3000)
    expect(mean('aws-api-gateway')).toBeLessThan(600)
    expect(mean('keycloak')).toBeLessThan(800)
  })

  it('carry every event id once, but for the two lines of a Vault request', () => {
    const seen = new Map<string, number>()
    for (const record of day) {
      const id = `${record.source} ${eventIdOf(record)}`
      seen.set(id, (seen.get(id) ?? 0) + 1)
    }
    for (const [id, times] of seen) expect([id, times]).toEqual([id, id.startsWith('vault') ? 2 : 1])
  })

  it('hold every registered identity’s noise: retries, refusals and things not found', () => {
    const text = day.map(({ line }) => line).join('\n')
    for (const sign of [
      'ThrottlingException',
      'NoSuchKey',
      'AccessDeniedException',
      '"status":"404"',
      '"code":404',
    ]) {
      expect(text).toContain(sign)
    }
  })

  it('shows a token, its pod and its node only from that node, and only after it was issued', () => {
    const issued = new Set<string>()
    let checked = 0
    const address = new Map(company.nodes.map((node) => [node.name, node.address]))
    for (const { line, source } of all(start, start + 12 * HOUR)) {
      if (source !== 'kubernetes-audit') continue
      const event = JSON.parse(line)
      const mint = event.annotations['authentication.kubernetes.io/issued-credential-id']
      if (typeof mint === 'string') issued.add(mint)
      const node = event.user.extra['authentication.kubernetes.io/node-name']?.[0]
      if (node === undefined) continue
      expect(event.sourceIPs).toEqual([address.get(node)])
      const shown = event.user.extra['authentication.kubernetes.io/credential-id'][0]
      if (Date.parse(event.requestReceivedTimestamp) > start + HOUR) {
        checked += 1
        expect(issued.has(shown)).toBe(true)
      }
    }
    expect(checked).toBeGreaterThan(500)
  })
})

describe('the cast', () => {
  it('has as many identities as asked for, each once', () => {
    for (const identities of [34, 45, 200]) {
      const ids = createCompany({ seed: 3, start, days: 10, identities }).identities.map(({ id }) => id)
      expect(ids).toHaveLength(identities)
      expect(new Set(ids).size).toBe(identities)
    }
  })

  it('registers benign changes inside its days, of every kind', () => {
    const changes = make(11, 40).changes()
    expect(new Set(changes.map(({ what }) => what))).toEqual(
      new Set(['new-action', 'egress-change', 'deployment']),
    )
    const known = new Set(make(11, 40).identities.map(({ id }) => id))
    for (const { time, identity } of changes) {
      expect(known.has(identity)).toBe(true)
      expect(time).toBeGreaterThanOrEqual(start)
      expect(time).toBeLessThan(start + 40 * DAY)
    }
  })

  it('makes a new call only from its deployment on', () => {
    const change = company
      .changes()
      .find(({ what, detail }) => what === 'new-action' && detail === 'sns.amazonaws.com:Publish')
    if (change === undefined) throw new Error('no deployment with a new call')
    const calls = (from: number, to: number): number =>
      all(from, to).filter(
        ({ line }) => line.includes('"eventName":"Publish"') && line.includes(`"arn":"${change.identity}"`),
      ).length
    expect(calls(change.time - 2 * DAY, change.time)).toBe(0)
    expect(calls(change.time, change.time + 2 * DAY)).toBeGreaterThan(0)
  })

  it('lets the dormant role sleep after the first days', () => {
    const role = company.awsOf('dormant-role').identity.id
    const count = (from: number, to: number): number =>
      all(from, to).filter(
        ({ line }) => line.includes(`"userIdentity":{"type":"AssumedRole"`) && line.includes(role),
      ).length
    expect(count(start, start + 2 * DAY)).toBeGreaterThan(50)
    expect(count(start + 10 * DAY, start + 13 * DAY)).toBe(0)
  })
})

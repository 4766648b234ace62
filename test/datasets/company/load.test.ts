import { describe, expect, it } from 'vitest'
import { type LoadOptions, loadRecords } from '../../../datasets/company/load.ts'
import { DAY, HOUR } from '../../../datasets/company/record.ts'
import { source } from '../../../ingest/sources/cloudtrail.ts'

const start = Date.UTC(2026, 0, 1)

interface Shape {
  readonly total: number
  readonly identities: Map<string, number>
  readonly activeHours: Map<string, number>
  readonly bytes: number
}

function shapeOf(options: LoadOptions): Shape {
  const identities = new Map<string, number>()
  const activeHours = new Map<string, number>()
  let [total, bytes, last] = [0, 0, start]
  for (const batch of loadRecords(options)) {
    for (const { time, line } of batch) {
      expect(time).toBeGreaterThanOrEqual(last)
      last = time
      total += 1
      bytes += line.length
      const identity = /"userName":"([^"]+)"/.exec(line)?.[1] ?? ''
      identities.set(identity, (identities.get(identity) ?? 0) + 1)
      const hour = `${identity} ${Math.floor(time / HOUR)}`
      activeHours.set(hour, (activeHours.get(hour) ?? 0) + 1)
    }
  }
  expect(last).toBeLessThan(start + options.days * DAY)
  return { total, identities, activeHours, bytes }
}

describe('loadRecords', () => {
  it.each([
    { seed: 1, identities: 50, events: 20_000, days: 10 },
    { seed: 1, identities: 5000, events: 20_000, days: 10 },
    { seed: 1, identities: 50, events: 20_000, days: 60 },
    { seed: 1, identities: 9, events: 20_000, days: 10 },
    { seed: 1, identities: 40, events: 6000, days: 10, eventsPerActiveHour: 25 },
  ])('keeps events per active identity-hour constant: %j', (options) => {
    const each = options.eventsPerActiveHour ?? 10
    const { total, identities, activeHours, bytes } = shapeOf(options)
    expect(total).toBe(options.events)
    expect(new Set(activeHours.values())).toEqual(new Set([each]))
    expect(identities.size).toBe(Math.min(options.identities, options.events / each))
    const counts = [...identities.values()]
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(each)
    expect(bytes / total).toBeGreaterThan(1800)
    expect(bytes / total).toBeLessThan(2300)
  })

  it('is deterministic, and read by the CloudTrail source', () => {
    const options = { seed: 3, identities: 20, events: 500, days: 2 }
    const records = [...loadRecords(options)].flat()
    expect([...loadRecords(options)].flat()).toEqual(records)
    const uids = new Set<string>()
    for (const { line, time } of records) {
      const verdict = source.read(JSON.parse(line), { tenant: '', arrival: time, recordHash: () => '' })
      if (verdict.outcome !== 'accepted') throw new Error(JSON.stringify(verdict))
      expect(verdict.value.time).toBe(time)
      uids.add(verdict.value.eventId)
    }
    expect(uids.size).toBe(500)
  })

  it('refuses more events than identity-hours can hold', () => {
    expect(() => loadRecords({ seed: 1, identities: 1, events: 241, days: 1 }).next()).toThrow(RangeError)
  })
})

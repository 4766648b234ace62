import { afterEach, describe, expect, it } from 'vitest'
import { createMetrics, type Metrics } from '../../api/metrics.ts'
import { newCounts } from '../../api/pipeline.ts'

const gauges = { now: 100_000, identities: 3, queuedRecords: 7, ready: true }
let metrics: Metrics | undefined
afterEach(() => metrics?.stop())

const sampleOf = (page: string, name: string): number | undefined => {
  const line = page.split('\n').find((l) => l.startsWith(`${name} `))
  return line === undefined ? undefined : Number(line.slice(name.length + 1))
}

describe('metrics', () => {
  it('counts records by outcome and reason, and notices a batch that does not add up', () => {
    metrics = createMetrics()
    const counts = newCounts()
    counts.read = 6
    counts.scored = 3
    counts.duplicate = 1
    counts.filtered.set('read-only', 1)
    counts.dead.set('not "json"\n', 1)
    metrics.batch(counts, { given: 6, lastTime: 40_000, seconds: 0.2 })
    let page = metrics.text(gauges)
    expect(sampleOf(page, 'plumbline_records_total{outcome="scored",reason=""}')).toBe(3)
    expect(sampleOf(page, 'plumbline_records_total{outcome="dead",reason="not \\"json\\"\\n"}')).toBe(1)
    expect(sampleOf(page, 'plumbline_conservation_violations_total')).toBe(0)
    expect(sampleOf(page, 'plumbline_batch_seconds_bucket{le="0.1"}')).toBe(0)
    expect(sampleOf(page, 'plumbline_batch_seconds_bucket{le="0.25"}')).toBe(1)
    expect(sampleOf(page, 'plumbline_batch_seconds_bucket{le="+Inf"}')).toBe(1)
    expect(sampleOf(page, 'plumbline_event_lag_seconds')).toBe(60)
    expect(sampleOf(page, 'plumbline_identities')).toBe(3)
    metrics.batch(counts, { given: 7, lastTime: Number.NEGATIVE_INFINITY, seconds: 99 })
    page = metrics.text(gauges)
    expect(sampleOf(page, 'plumbline_conservation_violations_total')).toBe(1)
    expect(sampleOf(page, 'plumbline_batch_seconds_bucket{le="30"}')).toBe(1)
    expect(sampleOf(page, 'plumbline_event_lag_seconds')).toBe(60)
  })

  it('writes what Prometheus reads: help and type once, before samples of their own name only', () => {
    metrics = createMetrics()
    metrics.request('/v1/alerts', 200)
    metrics.storeError()
    const page = metrics.text(gauges)
    const helps = [...page.matchAll(/^# HELP (\S+) /gm)].map((m) => m[1])
    expect(new Set(helps).size).toBe(helps.length)
    expect([...page.matchAll(/^# TYPE (\S+) /gm)].map((m) => m[1])).toEqual(helps)
    for (const line of page.trimEnd().split('\n'))
      expect(line).toMatch(/^(#|[a-z_]+(\{([a-z_]+="([^"\\]|\\.)*",?)*\})? -?[\d.e+-]+$)/)
    expect(page.endsWith('\n')).toBe(true)
    // Nothing was read: no lag is better than one since 1970.
    expect(page).not.toContain('plumbline_event_lag_seconds')
  })

  it('keeps the number of series bounded', () => {
    metrics = createMetrics()
    for (let at = 0; at < 5000; at++) metrics.request(`/invented/${at}`, 404)
    const page = metrics.text(gauges)
    expect(page.split('\n').length).toBeLessThan(300)
    expect(sampleOf(page, 'plumbline_http_requests_total{route="other",status="other"}')).toBe(4800)
  })
})

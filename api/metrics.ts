import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { BatchCounts, PublishedAlert } from './pipeline.ts'

/**
 * What the process tells Prometheus (text format 0.0.4). Counters start at 0 with the process; records are counted once
 * they are durable, so a batch that failed and is sent again is counted once.
 */
export interface Metrics {
  /** A batch that became durable: its counts, what it was given, its largest event time, and how long it took. */
  batch(counts: BatchCounts, about: BatchFacts): void
  alerts(alerts: readonly PublishedAlert[]): void
  storeError(): void
  request(route: string, status: number): void
  /** The whole page. */
  text(now: Gauges): string
  stop(): void
}

export interface BatchFacts {
  /** Records that were handed over. */
  readonly given: number
  /** Largest event time (epoch ms) of an accepted record; −∞ when there was none. */
  readonly lastTime: number
  readonly seconds: number
}

export interface Gauges {
  /** Epoch ms. */
  readonly now: number
  readonly identities: number
  readonly queuedRecords: number
  readonly ready: boolean
}

const BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const
/** Label sets of one metric; beyond, everything new is `other`: reasons are our own codes, but a bug must not flood. */
const MOST_SERIES = 200

export function createMetrics(): Metrics {
  const records = counter('plumbline_records_total', 'Durable records by what became of them.')
  const alerts = counter('plumbline_alerts_total', 'Alerts published, new ones and changes.')
  const requests = counter('plumbline_http_requests_total', 'Answered requests by route and status.')
  const delay = monitorEventLoopDelay({ resolution: 10 })
  delay.enable()
  const buckets = BUCKETS.map(() => 0)
  const started = process.hrtime.bigint()
  let batches = 0
  let batchSeconds = 0
  let violations = 0
  let storeErrors = 0
  let lastTime = Number.NEGATIVE_INFINITY
  return {
    batch(counts, { given, lastTime: latest, seconds }) {
      let sum = counts.scored + counts.duplicate
      records.add({ outcome: 'scored', reason: '' }, counts.scored)
      records.add({ outcome: 'duplicate', reason: '' }, counts.duplicate)
      for (const outcome of ['filtered', 'dead'] as const)
        for (const [reason, count] of counts[outcome]) {
          records.add({ outcome, reason }, count)
          sum += count
        }
      if (counts.read !== given || sum !== given) violations += 1
      for (const [at, bound] of BUCKETS.entries()) if (seconds <= bound) buckets[at] = (buckets[at] ?? 0) + 1
      batches += 1
      batchSeconds += seconds
      lastTime = Math.max(lastTime, latest)
    },
    alerts(published) {
      for (const { alert, change } of published) alerts.add({ change, severity: alert.severity }, 1)
    },
    storeError() {
      storeErrors += 1
    },
    request(route, status) {
      requests.add({ route, status: String(status) }, 1)
    },
    text({ now, identities, queuedRecords, ready }) {
      const seconds = (nanoseconds: number): number => (Number.isFinite(nanoseconds) ? nanoseconds / 1e9 : 0)
      const page = [
        ...records.lines(),
        ...alerts.lines(),
        ...requests.lines(),
        ...head('plumbline_batch_seconds', 'histogram', 'From hand-over of a batch to its being durable.'),
        ...BUCKETS.map((le, at) => `plumbline_batch_seconds_bucket{le="${le}"} ${buckets[at] ?? 0}`),
        `plumbline_batch_seconds_bucket{le="+Inf"} ${batches}`,
        `plumbline_batch_seconds_sum ${batchSeconds}`,
        `plumbline_batch_seconds_count ${batches}`,
        ...single(
          'plumbline_conservation_violations_total',
          'counter',
          'Batches whose counts do not add up; must stay 0.',
          violations,
        ),
        ...single('plumbline_store_errors_total', 'counter', 'Failed batches and reads.', storeErrors),
        ...single('plumbline_identities', 'gauge', 'Identities known.', identities),
        ...single('plumbline_queue_records', 'gauge', 'Records read and not yet durable.', queuedRecords),
        ...single('plumbline_ready', 'gauge', '1 when the last batch or probe went through.', ready ? 1 : 0),
        ...head(
          'plumbline_event_loop_lag_seconds',
          'gauge',
          'Delay of the event loop since the last scrape.',
        ),
        `plumbline_event_loop_lag_seconds{quantile="0.5"} ${seconds(delay.percentile(50))}`,
        `plumbline_event_loop_lag_seconds{quantile="0.99"} ${seconds(delay.percentile(99))}`,
        `plumbline_event_loop_lag_seconds{quantile="1"} ${seconds(delay.max)}`,
        ...single('process_resident_memory_bytes', 'gauge', 'Resident memory.', process.memoryUsage.rss()),
        ...single(
          'plumbline_uptime_seconds',
          'gauge',
          'Since the process began to serve.',
          Number(process.hrtime.bigint() - started) / 1e9,
        ),
      ]
      if (lastTime > Number.NEGATIVE_INFINITY)
        page.push(
          ...single(
            'plumbline_event_lag_seconds',
            'gauge',
            'Now minus the latest event time.',
            (now - lastTime) / 1000,
          ),
        )
      delay.reset()
      return `${page.join('\n')}\n`
    },
    stop: () => {
      delay.disable()
    },
  }
}

interface Counter {
  add(labels: Readonly<Record<string, string>>, count: number): void
  lines(): string[]
}

function counter(name: string, help: string): Counter {
  const series = new Map<string, number>()
  return {
    add(labels, count) {
      let key = labelsText(labels)
      if (!series.has(key) && series.size >= MOST_SERIES)
        key = labelsText(Object.fromEntries(Object.keys(labels).map((label) => [label, 'other'])))
      series.set(key, (series.get(key) ?? 0) + count)
    },
    lines: () => [
      ...head(name, 'counter', help),
      ...[...series].map(([labels, count]) => `${name}${labels} ${count}`),
    ],
  }
}

export function labelsText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(
    ([label, value]) =>
      `${label}="${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`,
  )
  return `{${pairs.join(',')}}`
}

const head = (name: string, type: string, help: string): string[] => [
  `# HELP ${name} ${help}`,
  `# TYPE ${name} ${type}`,
]

const single = (name: string, type: string, help: string, value: number): string[] => [
  ...head(name, type, help),
  `${name} ${value}`,
]

import { labelsText } from '../metrics.ts'
import type { Flow } from './flow.ts'

/** What Kafka partitions tell Prometheus: the books of each, and the sum of what does not balance. */
export function flowMetrics(flows: readonly Flow[]): string {
  if (flows.length === 0) return ''
  const records: string[] = []
  const inFlight: string[] = []
  const lag: string[] = []
  const lost: string[] = []
  const silent: string[] = []
  let violation = 0
  for (const flow of flows) {
    const { role } = flow
    lost.push(`plumbline_kafka_lost_messages_total${labelsText({ role })} ${flow.lost()}`)
    for (const { place, lag: messages } of [...flow.lags()].map(({ lag: behind, ...at }) => ({
      place: at,
      lag: behind,
    })))
      lag.push(`plumbline_kafka_lag_messages${labelsText({ role, ...labelsOf(place) })} ${messages}`)
    for (const { silentMs, ...place } of flow.silences())
      silent.push(
        `plumbline_kafka_silent_seconds${labelsText({ role, ...labelsOf(place) })} ${Math.round(silentMs / 1000)}`,
      )
    const sums = new Map<string, number>()
    for (const books of flow.books()) {
      violation += Math.abs(books.imbalance) + books.unaccounted
      for (const outcome of ['fetched', 'scored', 'filtered', 'duplicate', 'dead', 'returned'] as const) {
        const labels = labelsText({ role, ...labelsOf(books.place), outcome })
        sums.set(labels, (sums.get(labels) ?? 0) + books[outcome])
      }
      inFlight.push(
        `plumbline_kafka_in_flight_records${labelsText({ role, ...labelsOf(books.place) })} ${books.inFlight}`,
      )
    }
    for (const [labels, count] of sums) records.push(`plumbline_kafka_records_total${labels} ${count}`)
  }
  const lines = [
    '# HELP plumbline_kafka_records_total Records by what became of them; fetched is the sum of the others and of those in flight.',
    '# TYPE plumbline_kafka_records_total counter',
    ...records,
    '# HELP plumbline_kafka_in_flight_records Records read and neither durable nor given back.',
    '# TYPE plumbline_kafka_in_flight_records gauge',
    ...new Set(inFlight),
    '# HELP plumbline_kafka_lag_messages Messages in the log behind the committed offset.',
    '# TYPE plumbline_kafka_lag_messages gauge',
    ...lag,
    '# HELP plumbline_kafka_lost_messages_total Messages that the broker deleted before they were read.',
    '# TYPE plumbline_kafka_lost_messages_total counter',
    ...lost,
    '# HELP plumbline_kafka_silent_seconds How long a partition that used to speak has been silent.',
    '# TYPE plumbline_kafka_silent_seconds gauge',
    ...silent,
    '# HELP plumbline_conservation_violation Records that are missing or counted twice; must stay 0.',
    '# TYPE plumbline_conservation_violation gauge',
    `plumbline_conservation_violation ${violation}`,
  ]
  return `${lines.join('\n')}\n`
}

const labelsOf = ({ topic, partition }: { readonly topic: string; readonly partition: number }) => ({
  topic,
  partition: String(partition),
})

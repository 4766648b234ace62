import { setTimeout as sleep } from 'node:timers/promises'
import type { Broker, CommitOffset, Consumer, Delivery, Gap } from '../../../ingest/broker.ts'
import { type KafkaOptions, openKafka } from '../../../ingest/kafka.ts'

/** Ambient things of a process, for tests: log lines are kept. */
export function ambientOf(lines: string[] = []): KafkaOptions['ambient'] {
  return {
    now: () => performance.now(),
    every: (milliseconds, work) => {
      const timer = setInterval(work, milliseconds)
      return () => clearInterval(timer)
    },
    pause: (milliseconds) => sleep(milliseconds),
    log: (level, message) => lines.push(`${level}: ${message}`),
  }
}

export const kafkaAt = (address: string, options: Partial<KafkaOptions> = {}): Broker =>
  openKafka({
    brokers: [address],
    clientId: 'test',
    sessionTimeoutMs: 6000,
    refreshMs: 500,
    ambient: ambientOf(),
    ...options,
  })

/** A consumer that remembers what it was told. */
export class Recorder {
  readonly deliveries: Delivery[] = []
  readonly assignments: {
    readonly generation: number
    readonly leader: boolean
    readonly places: string[]
  }[] = []
  readonly gaps: Gap[] = []
  readonly failures: unknown[] = []
  readonly troubles: unknown[] = []
  revocations = 0
  readonly consumer: Consumer

  constructor(broker: Broker, group: string, topics: readonly (string | RegExp)[]) {
    this.consumer = broker.consumer({
      group,
      topics,
      events: {
        assigned: ({ generation, leader, partitions }) => {
          this.assignments.push({
            generation,
            leader,
            places: partitions.map((p) => `${p.topic}/${p.partition}`).sort(),
          })
        },
        revoked: () => {
          this.revocations += 1
        },
        deliver: (delivery) => {
          this.deliveries.push(delivery)
        },
        gap: (gap) => {
          this.gaps.push(gap)
        },
        trouble: (error) => {
          this.troubles.push(error)
        },
        failed: (error) => {
          this.failures.push(error)
        },
      },
    })
  }

  get values(): string[] {
    return this.deliveries.flatMap(({ messages }) => messages.map(({ value }) => value?.toString() ?? ''))
  }

  get generation(): number {
    return this.assignments.at(-1)?.generation ?? -1
  }

  /** Positions after everything delivered under the latest generation. */
  get offsets(): CommitOffset[] {
    const next = new Map<string, CommitOffset>()
    for (const { topic, partition, nextOffset, generation } of this.deliveries)
      if (generation === this.generation)
        next.set(`${topic}/${partition}`, { topic, partition, offset: nextOffset })
    return [...next.values()]
  }
}

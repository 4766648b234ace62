import { type Broker, BrokerError, type Consumer, type Producer } from '../../ingest/broker.ts'
import type { DeadLetter } from '../../ingest/outcome.ts'
import type { ReadRecord } from '../../ingest/reader.ts'
import type { SourceRegistry } from '../../ingest/sources.ts'
import type { Intake } from '../intake.ts'
import { Lane } from '../lane.ts'
import { type Flow, type RoleParts, STALL_MS } from './flow.ts'
import { type GroupHealth, groupEvents } from './group-events.ts'
import { rawReader } from './raw-reader.ts'
import { publishDeadLetters, type Topics } from './topics.ts'

/**
 * The *direct* topology: one process takes the raw topics to the end, without a second hop. One identity's events must
 * meet in one place, so the group has one member: the leader works, and whoever else comes is refused.
 */
export interface DirectParts extends RoleParts {
  readonly broker: Broker
  readonly producer: Producer
  readonly topics: Topics
  readonly group: string
  readonly registry: SourceRegistry
  readonly intake: Pick<Intake, 'ingest'>
  /** Epoch ms. */
  readonly now: () => number
}

export function createDirect(parts: DirectParts): Flow {
  const { broker, producer, topics, registry, intake, logger } = parts
  const health: GroupHealth = { trouble: null, lostMessages: 0 }
  const lane: Lane<ReadRecord> = new Lane<ReadRecord>({
    source: {
      commit: (generation, offsets) => consumer.commit(generation, offsets),
      pause: (partitions) => consumer.pause(partitions),
      resume: (partitions) => consumer.resume(partitions),
    },
    read: rawReader(topics, registry, parts.now),
    sink: {
      isDead: ({ verdict }) => verdict.outcome === 'dead',
      async take(records, outcomes, stream) {
        await intake.ingest(records, { stream, outcomes })
        const letters = records.map(({ letter }) => letter).filter(isLetter)
        if (letters.length > 0) await publishDeadLetters(producer, topics.deadLetters, letters)
      },
    },
    clock: parts.clock,
    limits: parts.limits,
    events: laneEvents('direct', logger),
  })
  const consumer: Consumer = broker.consumer({
    group: parts.group,
    topics: topics.raw.map(({ topic }) => topic),
    events: {
      ...groupEvents('direct', parts, health),
      assigned(assignment) {
        if (!assignment.leader) {
          const refusal = new BrokerError(
            'broker-refused',
            `Another process reads for the group ${parts.group}: the direct topology has one. For several processes run --role ingest and --role detect.`,
          )
          logger.error({ code: 'second-member' }, refusal.message)
          parts.fatal(refusal)
          return
        }
        health.trouble = null
        logger.info({ partitions: assignment.partitions.length }, 'reads raw topics')
        lane.assigned(assignment)
      },
      revoked: () => lane.revoked(),
      deliver: (delivery) => lane.deliver(delivery),
    },
  })
  return {
    role: 'direct',
    start: () => consumer.start(),
    async stop() {
      await lane.stop()
      await consumer.stop()
    },
    trouble: () => health.trouble ?? lane.trouble(STALL_MS),
    lost: () => health.lostMessages,
    books: () => lane.books(),
    lags: () => lane.lags(),
    silences: () => lane.silences(),
  }
}

export const isLetter = (letter: DeadLetter | undefined): letter is DeadLetter => letter !== undefined

/** What a lane has to say, in the log. */
export function laneEvents(role: string, logger: RoleParts['logger']) {
  return {
    failed: (error: unknown, attempt: number): void =>
      logger.error({ role, err: error, attempt }, 'a batch is not stored yet; nothing of it was committed'),
    recovered: (attempts: number): void => logger.info({ role, attempts }, 'batches are stored again'),
    flooded: (place: { readonly topic: string; readonly partition: number }, offset: number): void =>
      logger.error(
        { role, ...place, offset, code: 'poison-flood' },
        'too many records in a row cannot be read: the partition is stopped before them; mend the producer, or map the topic to its source, and start again',
      ),
  }
}

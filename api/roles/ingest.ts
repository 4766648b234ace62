import type { StoreBatch } from '../../features/rows.ts'
import { partitionOf } from '../../features/scope.ts'
import type { Store } from '../../features/store/connection.ts'
import { encodeActivity } from '../../ingest/activity-message.ts'
import type { Attribution } from '../../ingest/attribution.ts'
import type { Broker, Consumer, OutgoingMessage, Producer } from '../../ingest/broker.ts'
import type { Normalise } from '../../ingest/normalise.ts'
import type { DeadLetter } from '../../ingest/outcome.ts'
import type { ReadRecord } from '../../ingest/reader.ts'
import type { SourceRegistry } from '../../ingest/sources.ts'
import { Lane, type LaneStream } from '../lane.ts'
import { OUTCOME } from '../pipeline.ts'
import { laneEvents } from './direct.ts'
import { type Flow, type RoleParts, STALL_MS } from './flow.ts'
import { type GroupHealth, groupEvents } from './group-events.ts'
import { rawReader } from './raw-reader.ts'
import { publishDeadLetters, type Topics } from './topics.ts'

/**
 * The first half of the *keyed* topology: raw topics in, activities out, keyed by identity. Any number of processes. A crash
 * between sending and committing sends the same activities again, with the same uids, in the same order: `detect` knows
 * them by their uid.
 */
export interface IngestParts extends RoleParts {
  readonly broker: Broker
  readonly producer: Producer
  readonly topics: Topics
  readonly group: string
  readonly registry: SourceRegistry
  readonly normalise: Normalise
  readonly attribution: Attribution
  /** Partitions of the activity topic. */
  readonly partitions: number
  readonly store: Pick<Store, 'write'>
  /** Epoch ms. */
  readonly now: () => number
}

/** Most bytes of one partition in one request; the broker's limit is 1 MiB unless told otherwise. */
const PARTITION_BYTES = 512 * 1024
const REQUEST_BYTES = 4 * 1024 * 1024
/** kafkajs takes quadratically longer over more. */
const REQUEST_MESSAGES = 2000

export function createIngest(parts: IngestParts): Flow {
  const { broker, producer, topics, store, logger } = parts
  const health: GroupHealth = { trouble: null, lostMessages: 0 }
  let sending: Promise<void> = Promise.resolve()
  /** One batch after the other: the order within a partition is the order of the log. */
  const inTurn = (stream: LaneStream, work: () => Promise<void>): Promise<void> => {
    const turn = sending.then(() => {
      if (stream.broken !== null) throw stream.broken.by
      return work()
    })
    sending = turn.catch(() => {})
    return turn
  }
  const lane: Lane<ReadRecord> = new Lane<ReadRecord>({
    source: {
      commit: (generation, offsets) => consumer.commit(generation, offsets),
      pause: (partitions) => consumer.pause(partitions),
      resume: (partitions) => consumer.resume(partitions),
    },
    read: rawReader(topics, parts.registry, parts.now),
    sink: {
      isDead: ({ verdict }) => verdict.outcome === 'dead',
      take: (records, outcomes, stream) =>
        inTurn(stream, async () => {
          const { messages, letters } = sort(records, outcomes, parts)
          for (const request of requestsOf(messages)) await producer.send(topics.activity, request)
          if (letters.length === 0) return
          await store.write({ ...NOTHING, deadLetters: letters })
          await publishDeadLetters(producer, topics.deadLetters, letters)
        }).catch((error: unknown) => {
          stream.broken ??= { by: error }
          throw error
        }),
    },
    clock: parts.clock,
    limits: parts.limits,
    events: laneEvents('ingest', logger),
  })
  const consumer: Consumer = broker.consumer({
    group: parts.group,
    topics: topics.raw.map(({ topic }) => topic),
    events: {
      ...groupEvents('ingest', parts, health),
      assigned(assignment) {
        health.trouble = null
        logger.info({ role: 'ingest', partitions: assignment.partitions.length }, 'partitions assigned')
        lane.assigned(assignment)
      },
      revoked: () => lane.revoked(),
      deliver: (delivery) => lane.deliver(delivery),
    },
  })
  return {
    role: 'ingest',
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

const NOTHING: Omit<StoreBatch, 'deadLetters'> = {
  alerts: [],
  held: [],
  units: [],
  presence: [],
  calibration: [],
  activities: [],
}

function sort(
  records: readonly ReadRecord[],
  outcomes: Uint8Array,
  { normalise, attribution, partitions }: IngestParts,
): { readonly messages: readonly OutgoingMessage[]; readonly letters: readonly DeadLetter[] } {
  const messages: OutgoingMessage[] = []
  const letters: DeadLetter[] = []
  for (const [at, { verdict, source, letter }] of records.entries()) {
    if (verdict.outcome === 'filtered') outcomes[at] = OUTCOME.filtered
    else if (verdict.outcome === 'dead' || source === undefined) {
      outcomes[at] = OUTCOME.dead
      if (letter !== undefined) letters.push(letter)
    } else {
      outcomes[at] = OUTCOME.scored
      const activity = attribution.resolve(normalise(verdict.value, source, ''))
      attribution.observe(activity)
      const key = activity.identity.id
      messages.push({ key, value: encodeActivity(activity), partition: partitionOf(key, partitions) })
    }
  }
  return { messages, letters }
}

/** Cuts messages into requests that a broker takes. */
function* requestsOf(messages: readonly OutgoingMessage[]): Generator<readonly OutgoingMessage[]> {
  let request: OutgoingMessage[] = []
  let bytes = 0
  const ofPartition = new Map<number, number>()
  for (const message of messages) {
    // UTF-16 units; three bytes each at most, and nearly always one.
    const size = message.value.length + message.key.length + 100
    const partition = message.partition ?? 0
    const there = (ofPartition.get(partition) ?? 0) + size
    const full = request.length >= REQUEST_MESSAGES || there > PARTITION_BYTES || bytes + size > REQUEST_BYTES
    if (request.length > 0 && full) {
      yield request
      request = []
      bytes = 0
      ofPartition.clear()
    }
    request.push(message)
    bytes += size
    ofPartition.set(partition, (ofPartition.get(partition) ?? 0) + size)
  }
  if (request.length > 0) yield request
}

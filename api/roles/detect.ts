import type { DetectorRegistry } from '../../detectors/detectors.ts'
import type { Store } from '../../features/store/connection.ts'
import { decodeActivity } from '../../ingest/activity-message.ts'
import type {
  Assignment,
  Broker,
  Consumer,
  Delivery,
  Message,
  Producer,
  TopicPartition,
} from '../../ingest/broker.ts'
import type { Normalise } from '../../ingest/normalise.ts'
import type { DeadLetter } from '../../ingest/outcome.ts'
import type { SourceRegistry } from '../../ingest/sources.ts'
import { PartitionBooks } from '../conservation.ts'
import { type Engine, startEngine } from '../engine.ts'
import { createIntake, type Intake } from '../intake.ts'
import { Lane } from '../lane.ts'
import type { Metrics } from '../metrics.ts'
import { type ActivityRecord, type PublishedAlert, StaleError } from '../pipeline.ts'
import { isLetter, laneEvents } from './direct.ts'
import { type Flow, type RoleParts, STALL_MS } from './flow.ts'
import { type GroupHealth, groupEvents } from './group-events.ts'
import { publishDeadLetters, type Topics } from './topics.ts'

/**
 * The second half of the *keyed* topology: activities in, alerts out. Each partition is a world of its own: its identities,
 * their baselines, its pipeline. What a partition concludes depends on its log and on whole days of what the others stored,
 * never on who works on it: so a partition can move to another process at any moment, with its state read from ClickHouse.
 */
export interface DetectParts extends RoleParts {
  readonly broker: Broker
  readonly producer: Producer
  readonly topics: Topics
  readonly group: string
  readonly registry: SourceRegistry
  readonly detectors: DetectorRegistry
  readonly normalise: Normalise
  readonly store: Store
  readonly alertsPerDay: number
  readonly includePeople: boolean
  readonly learnUntil?: number | undefined
  /** Partitions of the activity topic. */
  readonly partitions: number
  readonly publish: (alerts: readonly PublishedAlert[]) => Promise<void>
  readonly metrics: Pick<Metrics, 'batch' | 'storeError'>
}

/** Identities kept in memory by one process, whatever the number of its partitions. */
const RESIDENTS = 20_000

export function createDetect(parts: DetectParts): Flow & { identities(): number } {
  const { broker, topics, logger } = parts
  const health: GroupHealth = { trouble: null, lostMessages: 0 }
  let workers = new Map<number, PartitionWorker>()
  /** Statements of partitions that were given away may still be under way; nobody reads their identities before they end. */
  let leaving: Promise<unknown> = Promise.resolve()
  const leavers = new Set<PartitionWorker>()
  /** The books of earlier assignments, one for each partition. */
  const closed = new Map<number, PartitionBooks>()

  const release = (): void => {
    const gone = [...workers.values()]
    workers = new Map()
    leaving = Promise.all([leaving, ...gone.map(bidFarewell)])
  }
  const bidFarewell = async (worker: PartitionWorker): Promise<void> => {
    leavers.add(worker)
    await worker.leave()
    leavers.delete(worker)
    for (const books of worker.lane.books()) {
      const { place } = books
      const sum = closed.get(place.partition) ?? new PartitionBooks(place, () => 0)
      sum.add(books)
      closed.set(place.partition, sum)
    }
  }
  const consumer: Consumer = broker.consumer({
    group: parts.group,
    topics: [topics.activity],
    events: {
      ...groupEvents('detect', parts, health),
      assigned(assignment) {
        health.trouble = null
        release()
        const share = Math.max(1000, Math.floor(RESIDENTS / Math.max(1, assignment.partitions.length)))
        for (const place of assignment.partitions)
          workers.set(
            place.partition,
            new PartitionWorker(parts, consumer, assignment, place, share, leaving),
          )
        logger.info({ role: 'detect', partitions: [...workers.keys()] }, 'partitions assigned')
      },
      revoked: release,
      deliver(delivery: Delivery) {
        workers.get(delivery.partition)?.lane.deliver(delivery)
      },
    },
  })
  return {
    role: 'detect',
    start: () => consumer.start(),
    async stop() {
      await Promise.all([...workers.values()].map((worker) => worker.stop()))
      await leaving
      await consumer.stop()
    },
    trouble() {
      if (health.trouble !== null) return health.trouble
      for (const { lane } of workers.values()) {
        const trouble = lane.trouble(STALL_MS)
        if (trouble !== null) return trouble
      }
      return null
    },
    lost: () => health.lostMessages,
    *books() {
      yield* closed.values()
      for (const { lane } of [...leavers, ...workers.values()]) yield* lane.books()
    },
    *lags() {
      for (const { lane } of workers.values()) yield* lane.lags()
    },
    // Its partitions are full of many producers' records: whose silence it would be, `ingest` knows.
    silences: () => [],
    identities() {
      let sum = 0
      for (const worker of workers.values()) sum += worker.identities
      return sum
    },
  }
}

interface Opened {
  readonly engine: Engine
  readonly intake: Intake<ActivityRecord>
}

/** One partition while it is ours. */
class PartitionWorker {
  readonly lane: Lane<ActivityRecord>
  readonly #parts: DetectParts
  readonly #consumer: Consumer
  readonly #assignment: Assignment
  readonly #place: TopicPartition
  readonly #capacity: number
  readonly #before: Promise<unknown>
  #opening: Promise<Opened> | undefined
  #engine: Engine | undefined
  #left = false

  constructor(
    parts: DetectParts,
    consumer: Consumer,
    assignment: Assignment,
    place: TopicPartition,
    capacity: number,
    before: Promise<unknown>,
  ) {
    this.#parts = parts
    this.#consumer = consumer
    this.#assignment = assignment
    this.#place = place
    this.#capacity = capacity
    this.#before = before
    this.lane = new Lane<ActivityRecord>({
      source: consumer,
      read: (message, from) => [recordOf(message, from)],
      sink: {
        isDead: ({ activity }) => activity.outcome === 'dead',
        take: async (records, outcomes, stream) => {
          const { intake } = await this.#open()
          await intake.ingest(records, { stream, outcomes })
          const letters = records.map(({ letter }) => letter).filter(isLetter)
          if (letters.length > 0) await publishDeadLetters(parts.producer, parts.topics.deadLetters, letters)
        },
      },
      clock: parts.clock,
      limits: parts.limits,
      events: laneEvents(`detect/${place.partition}`, parts.logger),
    })
    this.lane.assigned({ ...assignment, partitions: [place] })
  }

  get identities(): number {
    return this.#engine?.identities() ?? 0
  }

  #stale(): boolean {
    return this.#left || !this.#consumer.isCurrent(this.#assignment.generation)
  }

  /** Reads the state of the partition's identities, once; after a failure the next batch tries again. */
  #open(): Promise<Opened> {
    this.#opening ??= this.#start().catch((error: unknown) => {
      this.#opening = undefined
      throw error
    })
    return this.#opening
  }

  async #start(): Promise<Opened> {
    const { store, registry, detectors, normalise, alertsPerDay, includePeople, learnUntil, publish } =
      this.#parts
    await this.#before
    if (this.#stale()) throw new StaleError()
    // Whoever had the partition before us, here or elsewhere, may have a statement under way.
    await store.fence()
    if (this.#stale()) throw new StaleError()
    const scope = { partition: this.#place.partition, partitions: this.#parts.partitions }
    const engine = await startEngine(
      {
        // One store for all partitions of the process: it is closed by whoever opened it.
        store: { ...store, close: async () => {} },
        registry,
        detectors,
        normalise,
        alertsPerDay,
        scope,
        capacity: this.#capacity,
        stale: () => this.#stale(),
      },
      { includePeople, learnUntil, publish },
    )
    this.#engine = engine
    const { metrics, logger } = this.#parts
    const intake = createIntake<ActivityRecord>({ engine, metrics, logger })
    return { engine, intake }
  }

  /** The partition belongs to somebody else: nothing more is written. Resolves when no statement is under way any more. */
  async leave(): Promise<void> {
    this.#left = true
    this.lane.revoked()
    await this.lane.stop()
    await this.#finish()
  }

  /** What was handed over is stored and committed. */
  async stop(): Promise<void> {
    await this.lane.stop()
    await this.#finish()
  }

  async #finish(): Promise<void> {
    const opened = await this.#opening?.catch(() => undefined)
    if (opened === undefined) return
    await opened.intake.close()
    await opened.engine.close().catch((error: unknown) => {
      if (!this.#left)
        this.#parts.logger.error(
          { err: error },
          'a partition could not be closed cleanly; nothing of it was committed',
        )
    })
  }
}

function recordOf(message: Message, { topic, partition }: TopicPartition): ActivityRecord {
  const bytes = message.value ?? Buffer.alloc(0)
  const activity = decodeActivity(bytes)
  if (activity.outcome === 'accepted') return { activity, letter: undefined, time: activity.value.time }
  const letter: DeadLetter | undefined =
    activity.outcome === 'dead'
      ? {
          verdict: activity,
          position: { origin: `${topic}/${partition}@${message.offset}`, line: 1, offset: 0, index: 0 },
          source: '',
          bytes: Buffer.from(bytes),
        }
      : undefined
  return { activity, letter, time: 0 }
}

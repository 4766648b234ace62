import {
  type Admin,
  Kafka,
  type KafkaConfig,
  type Consumer as KafkaConsumer,
  type Producer as KafkaProducer,
  logLevel,
  Partitioners,
  type SASLOptions,
} from 'kafkajs'
import {
  type Broker,
  BrokerError,
  type CommitOffset,
  type Consumer,
  type ConsumerOptions,
  type OutgoingMessage,
  type Producer,
  type TopicPartition,
} from './broker.ts'
import { registerCodecs } from './kafka-codecs.ts'

/**
 * Apache Kafka by kafkajs: the only file that knows kafkajs, and the place where its pitfalls end.
 *
 * - Offsets are committed by hand, and never by kafkajs' own `commitOffsets`, which repeats a failed commit after a
 *   rebalance under the new generation.
 * - `deliver` takes messages at once and pauses the partition when it has enough; so the fetch loop keeps turning and
 *   heartbeats go on however long the store takes.
 * - An offset outside the log is reset by kafkajs with no more than a line in its log: gaps are looked for here and told.
 * - Patterns are resolved here and looked at again, because kafkajs resolves them once.
 * - A crash that kafkajs will not retry is told as `failed`; without that it would stay connected and silent.
 */
export interface KafkaOptions {
  readonly brokers: readonly string[]
  readonly clientId: string
  readonly tls?: KafkaTls | undefined
  readonly sasl?: KafkaSasl | undefined
  readonly ambient: KafkaAmbient
  /** Time after which the group takes an unheard member's partitions away. */
  readonly sessionTimeoutMs?: number | undefined
  /** How often patterns of topics are looked at again. */
  readonly refreshMs?: number | undefined
}

export interface KafkaTls {
  /** PEM texts; the system's authorities when `ca` is absent. Certificates are always verified. */
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
  readonly servername?: string | undefined
}

export type KafkaSasl =
  | {
      readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
      readonly username: string
      readonly password: string
    }
  /** OAUTHBEARER (RFC 7628), which is also how AWS MSK takes IAM credentials. Asked again whenever a connection opens. */
  | { readonly mechanism: 'oauthbearer'; readonly token: () => Promise<string> }

/** What the pure rooms may not have by themselves. */
export interface KafkaAmbient {
  /** Monotonic milliseconds. */
  readonly now: () => number
  /** Calls again and again until the returned function is called. */
  readonly every: (milliseconds: number, work: () => void) => () => void
  readonly pause: (milliseconds: number) => Promise<void>
  readonly log: (level: 'error' | 'warn' | 'info', message: string, fields: object) => void
}

const SESSION_MS = 30_000
const REFRESH_MS = 30_000
const MAX_WAIT_MS = 500
const MIB = 1024 * 1024
const ADMIN_ATTEMPTS = 30
const ADMIN_PAUSE_MS = 500

export function openKafka(options: KafkaOptions): Broker {
  registerCodecs()
  const { ambient } = options
  const consumers = new Map<string, GroupConsumer>()
  const kafka = new Kafka(
    kafkaConfig(options, ({ groupId, topic, partition }) => {
      if (typeof topic === 'string' && typeof partition === 'number')
        consumers.get(String(groupId))?.outOfRange({ topic, partition })
    }),
  )
  const closing: (() => Promise<void>)[] = []
  let admin: Promise<Admin> | undefined
  const withAdmin = async <T>(work: (admin: Admin) => Promise<T>): Promise<T> => {
    for (let attempt = 1; ; attempt++) {
      admin ??= connectAdmin(kafka)
      try {
        return await work(await admin)
      } catch (error) {
        // A connection that broke is opened anew.
        admin?.then((broken) => broken.disconnect()).catch(() => {})
        admin = undefined
        // A broker that has just started, or a topic just made: leaders and coordinators come a moment later.
        if (attempt >= ADMIN_ATTEMPTS || !isRetriable(error)) throw brokerError(error)
        await ambient.pause(ADMIN_PAUSE_MS)
      }
    }
  }
  return {
    consumer(consumerOptions) {
      const consumer = new GroupConsumer(kafka, withAdmin, options, consumerOptions)
      consumers.set(consumerOptions.group, consumer)
      closing.push(() => consumer.stop())
      return consumer
    },
    async producer() {
      const producer = kafka.producer({
        idempotent: true,
        createPartitioner: Partitioners.DefaultPartitioner,
        // More than one request under way may change the order when one of them is repeated.
        maxInFlightRequests: 1,
        allowAutoTopicCreation: false,
        // A broker that is gone for an hour is waited for: giving up a message would break the order.
        retry: { initialRetryTime: 300, maxRetryTime: 10_000, retries: Number.MAX_SAFE_INTEGER },
      })
      try {
        await producer.connect()
      } catch (error) {
        throw brokerError(error)
      }
      const close = (): Promise<void> => producer.disconnect()
      closing.push(close)
      return producerOf(producer, close)
    },
    async ensureTopics(topics) {
      await withAdmin(async (a) => {
        const known = new Set(await a.listTopics())
        const missing = topics.filter(({ topic }) => !known.has(topic))
        if (missing.length === 0) return
        try {
          await a.createTopics({
            waitForLeaders: true,
            topics: missing.map(({ topic, partitions }) => ({
              topic,
              numPartitions: partitions,
              replicationFactor: -1,
            })),
          })
        } catch (error) {
          // Made by another process a moment ago, or made and not yet known to every broker: there is what counts.
          const now = new Set(await a.listTopics())
          if (!missing.every(({ topic }) => now.has(topic))) throw error
        }
        ambient.log('info', 'topics created', { topics: missing.map(({ topic }) => topic) })
      })
    },
    partitions: (topic) =>
      withAdmin(async (a) => {
        const { topics } = await a.fetchTopicMetadata({ topics: [topic] })
        return topics[0]?.partitions.length ?? 0
      }),
    async close() {
      for (const close of closing.splice(0).reverse()) await close().catch(() => {})
      const connected = await admin?.catch(() => undefined)
      await connected?.disconnect()
      admin = undefined
    },
  }
}

async function connectAdmin(kafka: Kafka): Promise<Admin> {
  const admin = kafka.admin()
  await admin.connect()
  return admin
}

/** What kafkajs does about an offset outside the log it tells in its log only. */
const OUT_OF_RANGE = 'Offset out of range, resetting to default offset'

function kafkaConfig(
  { brokers, clientId, tls, sasl, ambient }: KafkaOptions,
  outOfRange: (fields: Readonly<Record<string, unknown>>) => void,
): KafkaConfig {
  return {
    clientId,
    brokers: [...brokers],
    connectionTimeout: 5000,
    requestTimeout: 30_000,
    retry: { initialRetryTime: 300, maxRetryTime: 10_000, retries: 8 },
    ...(tls === undefined ? {} : { ssl: defined(tls) }),
    ...(sasl === undefined ? {} : { sasl: saslOptions(sasl) }),
    logLevel: logLevel.WARN,
    logCreator:
      () =>
      ({ level, log: { message, ...fields } }) => {
        // What it cannot mend it throws, and then it is told as what it is.
        if (level <= logLevel.WARN) ambient.log('warn', message, shown(fields))
        if (message === OUT_OF_RANGE) outOfRange(fields)
      },
  }
}

/** kafkajs takes an absent property for absent, but one that is `undefined` for a value. */
const defined = (tls: KafkaTls): Record<string, string> =>
  Object.fromEntries(
    Object.entries(tls).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  )

function saslOptions(sasl: KafkaSasl): SASLOptions {
  switch (sasl.mechanism) {
    case 'oauthbearer':
      return {
        mechanism: 'oauthbearer',
        oauthBearerProvider: async () => ({ value: await sasl.token() }),
      }
    case 'plain':
      return { mechanism: 'plain', username: sasl.username, password: sasl.password }
    case 'scram-sha-256':
      return { mechanism: 'scram-sha-256', username: sasl.username, password: sasl.password }
    case 'scram-sha-512':
      return { mechanism: 'scram-sha-512', username: sasl.username, password: sasl.password }
    default:
      return sasl satisfies never
  }
}

/** Only what is known to be harmless of kafkajs' log entries: some carry whole requests. */
function shown(fields: Readonly<Record<string, unknown>>): object {
  const kept: Record<string, unknown> = {}
  for (const name of [
    'groupId',
    'memberId',
    'broker',
    'clientId',
    'error',
    'retryCount',
    'retryTime',
    'topic',
    'partition',
  ])
    if (typeof fields[name] === 'string' || typeof fields[name] === 'number') kept[name] = fields[name]
  return kept
}

function producerOf(producer: KafkaProducer, close: () => Promise<void>): Producer {
  return {
    async send(topic, messages) {
      if (messages.length === 0) return
      try {
        await producer.send({ topic, acks: -1, messages: messages.map(outgoing) })
      } catch (error) {
        throw brokerError(error)
      }
    },
    close,
  }
}

const outgoing = ({ key, value, partition, headers }: OutgoingMessage) => ({
  key,
  value,
  ...(partition === undefined ? {} : { partition }),
  ...(headers === undefined ? {} : { headers: { ...headers } }),
})

type WithAdmin = <T>(work: (admin: Admin) => Promise<T>) => Promise<T>
type CommitNow = (offsets: {
  topics: { topic: string; partitions: { partition: number; offset: string }[] }[]
}) => Promise<void>

class GroupConsumer implements Consumer {
  readonly #consumer: KafkaConsumer
  readonly #withAdmin: WithAdmin
  readonly #options: ConsumerOptions
  readonly #ambient: KafkaAmbient
  readonly #sessionMs: number
  readonly #refreshMs: number
  #generation = 0
  /** False between the start of a rebalance and its end. */
  #owns = false
  #heard = 0
  #commitNow: CommitNow | undefined
  #subscribed: readonly string[] = []
  /** Next offset due of each partition, as far as we know. */
  readonly #due = new Map<string, number>()
  #stopRefreshing: () => void = () => {}
  #refreshing: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(
    kafka: Kafka,
    withAdmin: WithAdmin,
    { ambient, sessionTimeoutMs, refreshMs }: KafkaOptions,
    options: ConsumerOptions,
  ) {
    this.#options = options
    this.#withAdmin = withAdmin
    this.#ambient = ambient
    this.#sessionMs = sessionTimeoutMs ?? SESSION_MS
    this.#refreshMs = refreshMs ?? REFRESH_MS
    this.#consumer = kafka.consumer({
      groupId: options.group,
      sessionTimeout: this.#sessionMs,
      rebalanceTimeout: 60_000,
      heartbeatInterval: Math.floor(this.#sessionMs / 10),
      metadataMaxAge: 60_000,
      maxWaitTimeInMs: MAX_WAIT_MS,
      maxBytesPerPartition: 2 * MIB,
      maxBytes: 16 * MIB,
      allowAutoTopicCreation: false,
      retry: { initialRetryTime: 300, maxRetryTime: 10_000, retries: 8 },
    })
    this.#listen()
  }

  #listen(): void {
    const { events } = this.#consumer
    this.#consumer.on(events.GROUP_JOIN, ({ payload: { memberAssignment, isLeader } }) => {
      this.#generation += 1
      this.#owns = true
      this.#heard = this.#ambient.now()
      this.#commitNow = undefined
      const partitions = Object.entries(memberAssignment).flatMap(([topic, numbers]) =>
        numbers.map((partition): TopicPartition => ({ topic, partition })),
      )
      // kafkajs keeps partitions paused across a rebalance, but who paused them has forgotten.
      this.resume(partitions)
      this.#options.events.assigned({ generation: this.#generation, leader: isLeader, partitions })
    })
    const revoked = (): void => {
      if (!this.#owns) return
      this.#owns = false
      this.#options.events.revoked()
    }
    this.#consumer.on(events.REBALANCING, revoked)
    this.#consumer.on(events.HEARTBEAT, () => {
      this.#heard = this.#ambient.now()
    })
    this.#consumer.on(events.CRASH, ({ payload: { error, restart } }) => {
      revoked()
      if (restart) this.#options.events.trouble(error)
      else this.#options.events.failed(brokerError(error))
    })
  }

  async start(): Promise<void> {
    await this.#subscribe()
    this.#stopRefreshing = this.#ambient.every(this.#refreshMs, () => {
      this.#refreshing = this.#refreshing
        .then(() => this.#refresh())
        .catch((error: unknown) => {
          this.#options.events.trouble(error)
        })
    })
  }

  async #subscribe(): Promise<void> {
    const topics = await this.#matching()
    this.#subscribed = topics
    if (topics.length === 0) return
    await this.#remember(topics)
    try {
      await this.#consumer.connect()
      await this.#consumer.subscribe({ topics: [...topics], fromBeginning: true })
      await this.#consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        // Taking a batch is all that happens here, so one after the other is enough.
        partitionsConsumedConcurrently: 1,
        eachBatch: async ({
          batch,
          resolveOffset,
          heartbeat,
          isRunning,
          isStale,
          commitOffsetsIfNecessary,
        }) => {
          const last = batch.messages.at(-1)
          if (last === undefined || !this.#owns || !isRunning() || isStale()) return
          this.#commitNow = commitOffsetsIfNecessary
          const { topic, partition } = batch
          const nextOffset = Number(batch.lastOffset()) + 1
          this.#due.set(keyOf({ topic, partition }), nextOffset)
          this.#options.events.deliver({
            topic,
            partition,
            generation: this.#generation,
            messages: batch.messages.map(({ offset, timestamp, key, value }) => ({
              offset: Number(offset),
              timestamp: Number(timestamp),
              key,
              value,
            })),
            nextOffset,
            endOffset: Number(batch.highWatermark),
          })
          resolveOffset(last.offset)
          await heartbeat()
        },
      })
    } catch (error) {
      throw brokerError(error)
    }
  }

  /** Topics that exist now and are meant. */
  async #matching(): Promise<readonly string[]> {
    const { topics } = this.#options
    const names = await this.#withAdmin((admin) => admin.listTopics())
    return names
      .filter((name) =>
        topics.some((topic) => (typeof topic === 'string' ? topic === name : topic.test(name))),
      )
      .sort()
  }

  async #refresh(): Promise<void> {
    if (this.#stopped) return
    const topics = await this.#matching()
    if (topics.every((topic) => this.#subscribed.includes(topic)) || this.#stopped) return
    this.#ambient.log('info', 'new topics are taken in', {
      topics: topics.filter((topic) => !this.#subscribed.includes(topic)),
    })
    this.#revokeQuietly()
    await this.#consumer.stop()
    await this.#subscribe()
  }

  #revokeQuietly(): void {
    if (!this.#owns) return
    this.#owns = false
    this.#options.events.revoked()
  }

  /** Where the group stands: what is due of each partition when nothing of it was delivered yet. */
  async #remember(topics: readonly string[]): Promise<void> {
    const stored = await this.#withAdmin((admin) =>
      admin.fetchOffsets({ groupId: this.#options.group, topics: [...topics] }),
    )
    for (const { topic, partitions } of stored)
      for (const { partition, offset } of partitions)
        if (Number(offset) >= 0) this.#due.set(keyOf({ topic, partition }), Number(offset))
  }

  /** kafkajs found its offset outside the log and goes on at the log's start: what lay between is told. */
  outOfRange(place: TopicPartition): void {
    this.#withAdmin((admin) => admin.fetchTopicOffsets(place.topic)).then(
      (limits) => {
        const limit = limits.find(({ partition }) => partition === place.partition)
        const to = Number(limit?.low ?? 0)
        const from = this.#due.get(keyOf(place)) ?? to
        const reason = from > Number(limit?.high ?? 0) ? 'offset-beyond-end' : 'log-truncated'
        this.#due.set(keyOf(place), to)
        this.#options.events.gap({ ...place, reason, from, to })
      },
      (error: unknown) => this.#options.events.trouble(error),
    )
  }

  async commit(generation: number, offsets: readonly CommitOffset[]): Promise<boolean> {
    const commitNow = this.#commitNow
    if (!this.isCurrent(generation) || commitNow === undefined) return false
    if (offsets.length === 0) return true
    const topics = new Map<string, { partition: number; offset: string }[]>()
    for (const { topic, partition, offset } of offsets) {
      const list = topics.get(topic) ?? []
      list.push({ partition, offset: String(offset) })
      topics.set(topic, list)
    }
    try {
      // Between the question above and the request nothing is awaited: it goes out under this generation or not at all.
      await commitNow({ topics: [...topics].map(([topic, partitions]) => ({ topic, partitions })) })
      return true
    } catch (error) {
      if (isStaleError(error)) return false
      throw brokerError(error)
    }
  }

  isCurrent(generation: number): boolean {
    return (
      this.#owns && generation === this.#generation && this.#ambient.now() - this.#heard < this.#sessionMs
    )
  }

  pause(partitions: readonly TopicPartition[]): void {
    if (partitions.length > 0) this.#consumer.pause(partitions.map(asKafkajs))
  }

  resume(partitions: readonly TopicPartition[]): void {
    if (partitions.length > 0) this.#consumer.resume(partitions.map(asKafkajs))
  }

  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    this.#stopRefreshing()
    await this.#refreshing
    await this.#consumer.disconnect()
    this.#owns = false
  }
}

export const keyOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`

const asKafkajs = ({ topic, partition }: TopicPartition) => ({ topic, partitions: [partition] })

const STALE = new Set([
  'REBALANCE_IN_PROGRESS',
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'NOT_COORDINATOR_FOR_GROUP',
  'FENCED_INSTANCE_ID',
])

/** kafkajs says of its errors whether trying again may help. */
const isRetriable = (error: unknown): boolean =>
  error instanceof Error && 'retriable' in error && error.retriable === true

function isStaleError(error: unknown): boolean {
  return error instanceof Error && 'type' in error && typeof error.type === 'string' && STALE.has(error.type)
}

/** kafkajs' errors carry whole requests and brokers; what people need is the sentence and the code. */
function brokerError(error: unknown): BrokerError {
  if (error instanceof BrokerError) return error
  const message = error instanceof Error ? error.message : String(error)
  const name = error instanceof Error ? error.name : ''
  const refused = /SASL|Authorization|Authentication/i.test(`${name} ${message}`)
  return new BrokerError(refused ? 'broker-refused' : 'broker-unreachable', `Kafka: ${message}`, error)
}

import { setTimeout as sleep } from 'node:timers/promises'
import { createAttribution } from '../ingest/attribution.ts'
import type { Broker, Producer } from '../ingest/broker.ts'
import { type KafkaSasl, openKafka } from '../ingest/kafka.ts'
import type { EngineParts } from './engine.ts'
import type { Intake } from './intake.ts'
import type { KafkaConfig } from './kafka-config.ts'
import { tokenProvider } from './kafka-token.ts'
import type { Logger } from './logger.ts'
import type { Metrics } from './metrics.ts'
import type { PublishedAlert } from './pipeline.ts'
import { createDetect } from './roles/detect.ts'
import { createDirect } from './roles/direct.ts'
import { type Flow, type RoleParts, realClock } from './roles/flow.ts'
import { createIngest } from './roles/ingest.ts'
import { publishAlerts, type Topics, topicsOf } from './roles/topics.ts'

/** What a process does on Kafka: everything, or one half of the keyed topology. */
export const ROLES = ['all', 'ingest', 'detect'] as const
export type Role = (typeof ROLES)[number]

export interface KafkaService {
  readonly topics: Topics
  readonly publish: (alerts: readonly PublishedAlert[]) => Promise<void>
  /** Makes the flows of a role; they are started and stopped by the caller. */
  direct(parts: EngineParts, intake: Intake): Flow
  keyed(role: Role, parts: EngineParts, options: KeyedOptions): Promise<readonly Flow[]>
  close(): Promise<void>
}

export interface KeyedOptions {
  readonly includePeople: boolean
  readonly publish: (alerts: readonly PublishedAlert[]) => Promise<void>
  readonly metrics: Metrics
}

export interface KafkaServiceOptions {
  readonly logger: Logger
  readonly version: string
  readonly fatal: (error: unknown) => void
}

const ATTRIBUTIONS = 100_000
const ALERT_PARTITIONS = 3

/** Connects, and creates the topics that Plumbline writes unless they are there. Throws BrokerError. */
export async function openKafkaService(
  config: KafkaConfig,
  { logger, version, fatal }: KafkaServiceOptions,
): Promise<KafkaService> {
  const broker = openKafka({
    brokers: config.brokers,
    clientId: config.clientId,
    tls: config.tls,
    sasl: saslOf(config),
    sessionTimeoutMs: config.sessionMs,
    ambient: {
      now: () => performance.now(),
      every: (milliseconds, work) => {
        const timer = setInterval(work, milliseconds)
        return () => clearInterval(timer)
      },
      pause: (milliseconds) => sleep(milliseconds),
      log: (level, message, fields) => logger[level](fields, `kafka: ${message}`),
    },
  })
  const topics = topicsOf(config.topicPrefix, config.rawTopics)
  let producer: Producer
  try {
    await broker.ensureTopics([
      { topic: topics.alerts, partitions: ALERT_PARTITIONS },
      { topic: topics.deadLetters, partitions: ALERT_PARTITIONS },
    ])
    producer = await broker.producer()
  } catch (error) {
    await broker.close()
    throw error
  }
  const role: RoleParts = {
    logger,
    clock: realClock,
    limits: { intervalMs: config.batchIntervalMs },
    fatal,
  }
  const now = (): number => Date.now()
  return {
    topics,
    publish: (alerts) => publishAlerts(producer, topics.alerts, alerts, version),
    direct: (parts, intake) =>
      createDirect({
        ...role,
        broker,
        producer,
        topics,
        registry: parts.registry,
        intake,
        now,
        group: group(config, 'direct'),
      }),
    async keyed(which, parts, options) {
      const partitions = await activityPartitions(broker, topics, config)
      const shared = { ...role, ...parts, broker, producer, topics, partitions }
      const flows: Flow[] = []
      // Downstream first, so that what is sent finds somebody.
      if (which !== 'ingest')
        flows.push(createDetect({ ...shared, ...options, group: group(config, 'detect') }))
      if (which !== 'detect') {
        const attribution = createAttribution({ capacity: ATTRIBUTIONS })
        attribution.load(await parts.store.attributions(ATTRIBUTIONS))
        flows.push(createIngest({ ...shared, attribution, now, group: group(config, 'ingest') }))
      }
      return flows
    },
    close: () => broker.close(),
  }
}

const group = ({ topicPrefix }: KafkaConfig, role: string): string => `${topicPrefix}.${role}`

async function activityPartitions(
  broker: Broker,
  topics: Topics,
  { partitions }: KafkaConfig,
): Promise<number> {
  await broker.ensureTopics([{ topic: topics.activity, partitions }])
  return broker.partitions(topics.activity)
}

function saslOf({ sasl }: KafkaConfig): KafkaSasl | undefined {
  if (sasl === undefined) return undefined
  switch (sasl.mechanism) {
    case 'oauthbearer':
    case 'aws-msk-iam':
      return { mechanism: 'oauthbearer', token: tokenProvider(sasl, () => performance.now()) }
    default:
      return sasl
  }
}

import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import { readConfig } from '../../api/config.ts'
import { openParts, startEngine } from '../../api/engine.ts'
import { createIntake } from '../../api/intake.ts'
import { createLogger } from '../../api/logger.ts'
import { createMetrics } from '../../api/metrics.ts'
import { createDetect } from '../../api/roles/detect.ts'
import { createDirect } from '../../api/roles/direct.ts'
import { type Flow, type RoleParts, realClock } from '../../api/roles/flow.ts'
import { createIngest } from '../../api/roles/ingest.ts'
import { publishAlerts, topicsOf } from '../../api/roles/topics.ts'
import { openEngine as openClickHouse } from '../../features/store/client.ts'
import { COLUMNS } from '../../features/store/columns.ts'
import { migrate } from '../../features/store/migrations.ts'
import { createAttribution } from '../../ingest/attribution.ts'
import { openKafka } from '../../ingest/kafka.ts'
import { bareRow } from './bare-row.ts'

/**
 * One measurement on Kafka, in a process of its own: `kafka-measure.js <what> <broker> <data dir> <prefix> <messages>`. Reads
 * `messages` messages of the topic `load` and prints one JSON line; time and CPU are from the first message to the last one
 * that is durable. With 0 messages it runs until SIGTERM.
 *
 * - `bare`: kafkajs `eachBatch`, JSON.parse, insert of as many columns with the same client. No logic: the baseline.
 * - `bare-keyed`: the same with a second hop through a topic keyed by identity.
 * - `direct`, `keyed`: Plumbline's two topologies, all roles in this process.
 */
const [what = 'direct', address = '', data = '', prefix = 'bench', wanted = '0'] = process.argv.slice(2)
const target = Number(wanted) === 0 ? Number.POSITIVE_INFINITY : Number(wanted)
const PARTITIONS = 4
const delay = monitorEventLoopDelay({ resolution: 10 })
let first = 0
let cpu = process.cpuUsage()
let finish: () => void = () => {}
const finished = new Promise<void>((resolve) => {
  finish = resolve
})
let durable = 0

function began(): void {
  if (first > 0) return
  first = performance.now()
  cpu = process.cpuUsage()
  delay.enable()
}
function done(count: number): void {
  durable += count
  if (durable >= target) finish()
}

process.once('SIGTERM', () => finish())
const stop = what.startsWith('bare') ? await bare(what === 'bare-keyed') : await plumbline()
await finished
const seconds = (performance.now() - first) / 1000
const used = process.cpuUsage(cpu)
delay.disable()
const imbalance = await stop()
process.stdout.write(
  `${JSON.stringify({
    what,
    events: durable,
    seconds,
    cpu: (used.user + used.system) / 1e6,
    rss: process.resourceUsage().maxRSS / 1024,
    delay: delay.percentile(99) / 1e6,
    imbalance,
  })}\n`,
)
process.exit(0)

async function plumbline(): Promise<() => Promise<number>> {
  const logger = createLogger('warn')
  const broker = openKafka({
    brokers: [address],
    clientId: 'bench',
    ambient: {
      now: () => performance.now(),
      every: (milliseconds, work) => {
        const timer = setInterval(work, milliseconds)
        return () => clearInterval(timer)
      },
      pause: (milliseconds) => sleep(milliseconds),
      log: () => {},
    },
  })
  const topics = topicsOf(prefix, [{ topic: 'load', source: 'cloudtrail' }])
  await broker.ensureTopics([
    { topic: topics.alerts, partitions: 1 },
    { topic: topics.deadLetters, partitions: 1 },
    { topic: topics.activity, partitions: PARTITIONS },
  ])
  const producer = await broker.producer()
  const parts = await openParts(readConfig({ PLUMBLINE_DATA: data }))
  const role: RoleParts = {
    logger,
    clock: realClock,
    fatal: (error) => {
      throw error
    },
  }
  const metrics = createMetrics()
  const publish = (alerts: Parameters<typeof publishAlerts>[2]): Promise<void> =>
    publishAlerts(producer, topics.alerts, alerts, 'bench')
  const now = (): number => Date.now()
  const shared = { ...role, ...parts, broker, producer, topics, partitions: PARTITIONS, now }
  const flows: Flow[] = []
  if (what === 'direct') {
    const engine = await startEngine(parts, { includePeople: false, publish })
    const intake = createIntake({ engine, metrics, logger })
    flows.push(
      createDirect({
        ...shared,
        group: `${prefix}.direct`,
        intake: {
          ingest: async (records, options) => {
            began()
            const counts = await intake.ingest(records, options)
            done(records.length)
            return counts
          },
        },
      }),
    )
  } else {
    flows.push(
      createDetect({
        ...shared,
        group: `${prefix}.detect`,
        includePeople: false,
        publish,
        metrics: {
          ...metrics,
          batch: (counts, about) => {
            done(about.given)
            metrics.batch(counts, about)
          },
        },
      }),
      createIngest({
        ...shared,
        group: `${prefix}.ingest`,
        attribution: createAttribution({ capacity: 100_000 }),
        normalise: (draft, source, tenant) => {
          began()
          return parts.normalise(draft, source, tenant)
        },
      }),
    )
  }
  for (const flow of flows) await flow.start()
  const timer = setInterval(() => {
    const lag = flows.flatMap((flow) => [...flow.lags()]).reduce((sum, { lag: behind }) => sum + behind, 0)
    process.stderr.write(`${Math.round(process.memoryUsage.rss() / 1048576)} ${lag}\n`)
  }, 10_000)
  return async () => {
    clearInterval(timer)
    for (const flow of flows) await flow.stop()
    let imbalance = 0
    for (const flow of flows)
      for (const books of flow.books()) imbalance += Math.abs(books.imbalance) + books.unaccounted
    return imbalance
  }
}

const BATCH = 10_000

async function bare(keyed: boolean): Promise<() => Promise<number>> {
  const engine = await openClickHouse({ path: data }, 1)
  const [session] = engine.sessions
  if (session === undefined) throw new Error('no session')
  await migrate(session, { replicated: false })
  const kafka = new Kafka({ brokers: [address], clientId: 'bare', logLevel: logLevel.NOTHING })
  let rows: string[] = []
  let taken = 0
  let writing = Promise.resolve()
  const flush = (): void => {
    const body = rows.join('\n')
    const count = rows.length
    rows = []
    const before = writing
    writing = before.then(() => session.insert('activity', COLUMNS.activity, body)).then(() => done(count))
  }
  const insert = async (record: Record<string, string>): Promise<void> => {
    rows.push(bareRow(record, ++taken))
    if (rows.length < BATCH && taken < target) return
    await writing
    flush()
  }
  const producer = kafka.producer()
  await producer.connect()
  const hop = `${prefix}.hop`
  if (keyed) {
    const admin = kafka.admin()
    await admin.connect()
    await admin.createTopics({ topics: [{ topic: hop, numPartitions: PARTITIONS }], waitForLeaders: true })
    await admin.disconnect()
  }
  const consume = async (topic: string, take: (values: readonly string[]) => Promise<void>) => {
    const consumer = kafka.consumer({
      groupId: `${prefix}.${topic}`,
      maxBytesPerPartition: 2 * 1024 * 1024,
      maxBytes: 16 * 1024 * 1024,
      maxWaitTimeInMs: 500,
    })
    await consumer.connect()
    await consumer.subscribe({ topics: [topic], fromBeginning: true })
    await consumer.run({
      eachBatch: async ({ batch, resolveOffset, heartbeat }) => {
        began()
        await take(batch.messages.map(({ value }) => value?.toString() ?? ''))
        resolveOffset(batch.lastOffset())
        await heartbeat()
      },
    })
    return consumer
  }
  const store = async (values: readonly string[]): Promise<void> => {
    for (const value of values) await insert(JSON.parse(value))
  }
  const consumers = [await consume(keyed ? hop : 'load', store)]
  if (keyed)
    consumers.push(
      await consume('load', async (values) => {
        const messages = values.map((value) => {
          const record = JSON.parse(value)
          return { key: record.userIdentity.sessionContext.sessionIssuer.arn, value: JSON.stringify(record) }
        })
        for (let at = 0; at < messages.length; at += 400)
          await producer.send({ topic: hop, messages: messages.slice(at, at + 400) })
      }),
    )
  return async () => {
    for (const consumer of consumers) await consumer.disconnect()
    await producer.disconnect()
    await session.close()
    await engine.release()
    return 0
  }
}

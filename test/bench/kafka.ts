import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Kafka, logLevel, type Producer } from 'kafkajs'
import { median, quantile } from 'simple-statistics'
import { z } from 'zod'
import { loadRecords } from '../../datasets/company/load.ts'
import { type KafkaBroker, kafkaAvailable, startBroker } from '../support/kafka/broker.ts'

/**
 * `npm run bench -- --kafka`: the two topologies against a bare consumer of the same topic in the same run, latency from
 * sending to alert at half the rate, and, with `--soak`, ten minutes at 80 %. It prints and never fails on time.
 */
const Result = z.object({
  what: z.string(),
  events: z.number(),
  seconds: z.number(),
  cpu: z.number(),
  rss: z.number(),
  delay: z.number(),
  imbalance: z.number(),
})
type Result = z.infer<typeof Result>

const MESSAGES = 300_000
const ROUNDS = 3
const RAW_PARTITIONS = 2
const SOAK_SECONDS = 600
const LATENCY_SECONDS = 40
const script = fileURLToPath(new URL('./kafka-measure.js', import.meta.url))
const out = (line: string): void => void process.stdout.write(`${line}\n`)
let runs = 0

export async function benchKafka(soak: boolean): Promise<void> {
  if (!(await kafkaAvailable())) return
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-bench-'))
  const server = await startBroker()
  const producer = new Kafka({
    brokers: [server.address],
    clientId: 'load',
    logLevel: logLevel.NOTHING,
  }).producer()
  try {
    await producer.connect()
    await fill(server, producer)
    const rate = await throughput(server, folder)
    await latency(server, producer, folder, rate / 2)
    if (soak) await endure(server, producer, folder, rate * 0.8)
  } finally {
    await producer.disconnect()
    await server.remove()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function createTopic(server: KafkaBroker, topic: string): Promise<void> {
  const admin = new Kafka({ brokers: [server.address], clientId: 'load', logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic, numPartitions: RAW_PARTITIONS }], waitForLeaders: true })
  await admin.disconnect()
}

async function deleteTopic(server: KafkaBroker, topic: string): Promise<void> {
  const admin = new Kafka({ brokers: [server.address], clientId: 'load', logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  await admin.deleteTopics({ topics: [topic] })
  await admin.disconnect()
}

async function fill(server: KafkaBroker, producer: Producer): Promise<void> {
  await createTopic(server, 'load')
  let messages: { value: string; partition: number }[] = []
  let sent = 0
  for (const batch of loadRecords({ seed: 1, identities: 1000, events: MESSAGES, days: 10 }))
    for (const { line } of batch) {
      messages.push({ value: line, partition: sent++ % RAW_PARTITIONS })
      if (messages.length < 500) continue
      await producer.send({ topic: 'load', messages })
      messages = []
    }
  if (messages.length > 0) await producer.send({ topic: 'load', messages })
}

async function measure(what: string, server: KafkaBroker, folder: string): Promise<Result> {
  const { child, data } = start(what, server, folder, MESSAGES)
  const answer = await text(child.stdout)
  rmSync(data, { recursive: true, force: true })
  return Result.parse(JSON.parse(answer))
}

function start(
  what: string,
  server: KafkaBroker,
  folder: string,
  messages: number,
): { child: ChildProcessByStdio<null, Readable, Readable>; data: string; prefix: string } {
  const run = ++runs
  const data = join(folder, `data-${run}`)
  const prefix = `run${run}`
  const child = spawn(
    process.execPath,
    [
      '--max-semi-space-size=64',
      '--max-old-space-size=1024',
      script,
      what,
      server.address,
      data,
      prefix,
      String(messages),
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  return { child, data, prefix }
}

const mid = (results: readonly Result[], of: (result: Result) => number): number => median(results.map(of))

/** Events a second that the direct topology takes. */
async function throughput(server: KafkaBroker, folder: string): Promise<number> {
  const kinds = ['bare', 'direct', 'bare-keyed', 'keyed'] as const
  const results = new Map<string, Result[]>(kinds.map((kind) => [kind, []]))
  for (let round = 0; round < ROUNDS; round++)
    for (const kind of kinds) results.get(kind)?.push(await measure(kind, server, folder))
  out(
    `${MESSAGES.toLocaleString('en')} CloudTrail-sized messages of 1,000 identities in ${RAW_PARTITIONS} partitions; ${ROUNDS} interleaved rounds`,
  )
  for (const [kind, some] of results)
    out(
      `  ${kind.padEnd(10)} ${Math.round(mid(some, (r) => r.events / r.seconds))
        .toLocaleString('en')
        .padStart(7)} events/s, ` +
        `${mid(some, (r) => (r.cpu / r.events) * 1e6).toFixed(1)} µs CPU/event, peak RSS ${mid(some, (r) => r.rss).toFixed(0)} MB, ` +
        `event loop p99 ${mid(some, (r) => r.delay).toFixed(0)} ms, imbalance ${mid(some, (r) => r.imbalance)}`,
    )
  const ratio = (over: string, under: string): string => {
    const ratios = (results.get(over) ?? []).map(
      (r, i) => (results.get(under)?.[i]?.seconds ?? Number.NaN) / r.seconds,
    )
    return `${median(ratios).toFixed(2)} (rounds ${ratios.map((r) => r.toFixed(2)).join(', ')})`
  }
  out(`  direct ÷ bare: ${ratio('direct', 'bare')}; the goal is 0.7`)
  out(`  keyed ÷ bare with two hops: ${ratio('keyed', 'bare-keyed')}`)
  return mid(results.get('direct') ?? [], (r) => r.events / r.seconds)
}

/** Sends at a steady rate until the time is over; calls `beside` once for each tick of a tenth of a second. */
async function sendSteadily(
  producer: Producer,
  topic: string,
  rate: number,
  seconds: number,
  beside: (tick: number) => { value: string; partition: number }[],
): Promise<number> {
  const records = loadRecords({
    seed: 3,
    start: Date.now() - 3_600_000,
    identities: 1000,
    events: 100_000_000,
    days: 3650,
  })
  let batch: readonly { readonly line: string }[] = []
  let at = 0
  let sent = 0
  const begun = performance.now()
  for (let tick = 0; tick < seconds * 10; tick++) {
    const messages = beside(tick)
    const due = Math.round(((tick + 1) * rate) / 10)
    for (; sent < due; sent++) {
      if (at >= batch.length) {
        batch = records.next().value ?? []
        at = 0
      }
      messages.push({ value: batch[at++]?.line ?? '', partition: sent % RAW_PARTITIONS })
    }
    for (let from = 0; from < messages.length; from += 500)
      await producer.send({ topic, messages: messages.slice(from, from + 500) })
    const wait = begun + (tick + 1) * 100 - performance.now()
    if (wait > 0) await sleep(wait)
  }
  return sent
}

/** A record that alerts from the first event; each of an identity of its own, because an identity has one alert a day. */
function intrusion(number: number): string {
  const [record] =
    loadRecords({ seed: 9, start: Date.now() - 60_000, identities: 1, events: 1, days: 1 }).next().value ?? []
  const line = record?.line ?? ''
  return line
    .replaceAll('synthetic-load-0', `intruder-${number}`)
    .replace(
      /"eventSource":"[^"]+","eventName":"[^"]+"/,
      '"eventSource":"cloudtrail.amazonaws.com","eventName":"StopLogging"',
    )
    .replace(
      /"requestParameters":\{.*?\},"responseElements"/,
      '"requestParameters":{"name":"main"},"responseElements"',
    )
    .replace(/"eventID":"[^"]+"/, `"eventID":"00000000-0000-0000-0000-${String(number).padStart(12, '0')}"`)
}

async function latency(server: KafkaBroker, producer: Producer, folder: string, rate: number): Promise<void> {
  await deleteTopic(server, 'load')
  await sleep(1000)
  await createTopic(server, 'load')
  const { child, prefix } = start('direct', server, folder, 0)
  const seen = new Map<string, number>()
  const consumer = new Kafka({
    brokers: [server.address],
    clientId: 'reader',
    logLevel: logLevel.NOTHING,
  }).consumer({
    groupId: 'reader',
    maxWaitTimeInMs: 50,
  })
  await consumer.connect()
  await waitFor(server, `${prefix}.alerts`)
  await consumer.subscribe({ topics: [`${prefix}.alerts`], fromBeginning: true })
  await consumer.run({
    eachMessage: async ({ message }) => {
      const name = /intruder-\d+/.exec(message.value?.toString() ?? '')?.[0]
      if (name !== undefined && !seen.has(name)) seen.set(name, performance.now())
    },
  })
  const sentAt = new Map<string, number>()
  await sendSteadily(producer, 'load', rate, LATENCY_SECONDS, (tick) => {
    // The first seconds warm up.
    if (tick < 50 || tick % 3 !== 0) return []
    sentAt.set(`intruder-${tick}`, performance.now())
    return [{ value: intrusion(tick), partition: tick % RAW_PARTITIONS }]
  })
  for (let wait = 0; wait < 100 && seen.size < sentAt.size; wait++) await sleep(100)
  const delays = [...sentAt].flatMap(([name, sent]) =>
    seen.get(name) === undefined ? [] : [(seen.get(name) ?? 0) - sent],
  )
  child.kill('SIGTERM')
  const result = Result.parse(JSON.parse(await text(child.stdout)))
  await consumer.disconnect()
  out(
    `At ${Math.round(rate).toLocaleString('en')} events/s (half): ${delays.length} of ${sentAt.size} alerts, from sending to reading the alert ` +
      `p50 ${quantile(delays, 0.5).toFixed(0)} ms, p99 ${quantile(delays, 0.99).toFixed(0)} ms (batches start 250 ms apart); event loop p99 ${result.delay.toFixed(0)} ms`,
  )
}

async function waitFor(server: KafkaBroker, topic: string): Promise<void> {
  const admin = new Kafka({ brokers: [server.address], clientId: 'load', logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  while (!(await admin.listTopics()).includes(topic)) await sleep(100)
  await admin.disconnect()
}

async function endure(server: KafkaBroker, producer: Producer, folder: string, rate: number): Promise<void> {
  await deleteTopic(server, 'load')
  await sleep(1000)
  await createTopic(server, 'load')
  const { child } = start('direct', server, folder, 0)
  const samples: { rss: number; lag: number }[] = []
  createInterface({ input: child.stderr }).on('line', (line) => {
    const [rss, lag] = line.split(' ').map(Number)
    if (rss !== undefined && lag !== undefined && Number.isFinite(rss)) samples.push({ rss, lag })
  })
  const answer = text(child.stdout)
  const sent = await sendSteadily(producer, 'load', rate, SOAK_SECONDS, () => [])
  const before = samples.length
  while (samples.length < before + 2) await sleep(500)
  const last = samples.at(-1)
  child.kill('SIGTERM')
  const result = Result.parse(JSON.parse(await answer))
  const third = Math.ceil(samples.length / 3)
  const rss = (some: readonly { rss: number }[]): string => median(some.map((s) => s.rss)).toFixed(0)
  out(
    `Soak: ${SOAK_SECONDS} s at ${Math.round(rate).toLocaleString('en')} events/s, ${sent.toLocaleString('en')} sent, ${result.events.toLocaleString('en')} durable; ` +
      `RSS by thirds ${rss(samples.slice(0, third))}, ${rss(samples.slice(third, 2 * third))}, ${rss(samples.slice(2 * third))} MB; ` +
      `lag at the end ${last?.lag}; imbalance ${result.imbalance}`,
  )
}

import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Broker } from '../../ingest/broker.ts'
import { type KafkaBroker, kafkaAvailable, startBroker } from '../support/kafka/broker.ts'
import { kafkaAt, Recorder } from '../support/kafka/consumer.ts'

const available = await kafkaAvailable()
const PATIENCE = { timeout: 40_000, interval: 50 }

describe.skipIf(!available)('openKafka, on a real broker', () => {
  let server: KafkaBroker
  let broker: Broker
  let topics = 0
  const newTopic = async (partitions = 1): Promise<string> => {
    const topic = `t${++topics}`
    await broker.ensureTopics([{ topic, partitions }])
    return topic
  }
  const raw = () => new Kafka({ brokers: [server.address], clientId: 'raw', logLevel: logLevel.NOTHING })
  const produce = async (topic: string, values: readonly string[], partition = 0): Promise<void> => {
    const producer = await broker.producer()
    await producer.send(
      topic,
      values.map((value) => ({ key: 'k', value, partition })),
    )
    await producer.close()
  }

  beforeAll(async () => {
    server = await startBroker()
    broker = kafkaAt(server.address)
  })
  afterAll(async () => {
    await broker?.close()
    await server?.remove()
  })

  it('delivers from the start, in order, and goes on after what was committed', async () => {
    const topic = await newTopic()
    await produce(topic, ['a', 'b', 'c'])
    const first = new Recorder(broker, 'g1', [topic])
    await first.consumer.start()
    await vi.waitFor(() => expect(first.values).toEqual(['a', 'b', 'c']), PATIENCE)
    expect(await first.consumer.commit(first.generation, [{ topic, partition: 0, offset: 2 }])).toBe(true)
    await first.consumer.stop()
    const second = new Recorder(broker, 'g1', [topic])
    await second.consumer.start()
    await vi.waitFor(() => expect(second.values).toEqual(['c']), PATIENCE)
    await second.consumer.stop()
  })

  it('refuses the commit of an older generation, and tells when partitions move', async () => {
    const topic = await newTopic(4)
    for (const partition of [0, 1, 2, 3]) await produce(topic, [`p${partition}`], partition)
    const first = new Recorder(broker, 'g2', [topic])
    await first.consumer.start()
    await vi.waitFor(() => expect(first.values).toHaveLength(4), PATIENCE)
    const old = first.generation
    const offsets = first.offsets
    const second = new Recorder(broker, 'g2', [topic])
    await second.consumer.start()
    await vi.waitFor(() => {
      expect(first.assignments.at(-1)?.places).toHaveLength(2)
      expect(second.assignments.at(-1)?.places).toHaveLength(2)
    }, PATIENCE)
    expect(first.revocations).toBeGreaterThanOrEqual(1)
    expect(first.consumer.isCurrent(old)).toBe(false)
    expect(await first.consumer.commit(old, offsets)).toBe(false)
    expect([first, second].filter(({ assignments }) => assignments.at(-1)?.leader === true)).toHaveLength(1)
    // Nothing was committed, so both read their partitions again.
    await vi.waitFor(
      () => expect([...second.values, ...first.values.slice(4)].sort()).toEqual(['p0', 'p1', 'p2', 'p3']),
      PATIENCE,
    )
    await Promise.all([first.consumer.stop(), second.consumer.stop()])
  })

  it('pauses and resumes single partitions', async () => {
    const topic = await newTopic(2)
    await produce(topic, ['one'], 0)
    const recorder = new Recorder(broker, 'g3', [topic])
    await recorder.consumer.start()
    await vi.waitFor(() => expect(recorder.values).toEqual(['one']), PATIENCE)
    recorder.consumer.pause([{ topic, partition: 0 }])
    await produce(topic, ['held'], 0)
    await produce(topic, ['other'], 1)
    await vi.waitFor(() => expect(recorder.values).toEqual(['one', 'other']), PATIENCE)
    recorder.consumer.resume([{ topic, partition: 0 }])
    await vi.waitFor(() => expect(recorder.values).toEqual(['one', 'other', 'held']), PATIENCE)
    await recorder.consumer.stop()
  })

  it('takes in topics that match a pattern later', async () => {
    const recorder = new Recorder(broker, 'g4', [/^later\..+$/])
    await recorder.consumer.start()
    expect(recorder.assignments).toEqual([])
    await broker.ensureTopics([{ topic: 'later.one', partitions: 1 }])
    await produce('later.one', ['x'])
    await vi.waitFor(() => expect(recorder.values).toEqual(['x']), PATIENCE)
    await recorder.consumer.commit(recorder.generation, recorder.offsets)
    await broker.ensureTopics([{ topic: 'later.two', partitions: 1 }])
    await produce('later.two', ['y'])
    await vi.waitFor(() => expect(recorder.values).toEqual(['x', 'y']), PATIENCE)
    await recorder.consumer.stop()
  })

  it('tells of messages that were deleted before they were read', async () => {
    const topic = await newTopic()
    await produce(topic, ['a', 'b', 'c', 'd'])
    const first = new Recorder(broker, 'g5', [topic])
    await first.consumer.start()
    await vi.waitFor(() => expect(first.values).toHaveLength(4), PATIENCE)
    await first.consumer.commit(first.generation, [{ topic, partition: 0, offset: 1 }])
    await first.consumer.stop()
    const admin = raw().admin()
    await admin.connect()
    await admin.fetchTopicOffsets(topic)
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '3' }] })
    await admin.disconnect()
    const second = new Recorder(broker, 'g5', [topic])
    await second.consumer.start()
    await vi.waitFor(() => {
      expect(second.gaps).toEqual([{ topic, partition: 0, reason: 'log-truncated', from: 1, to: 3 }])
      expect(second.values).toEqual(['d'])
    }, PATIENCE)
    await second.consumer.stop()
  })

  it('goes on by itself when the broker was gone', async () => {
    const topic = await newTopic()
    await produce(topic, ['before'])
    const recorder = new Recorder(broker, 'g6', [topic])
    await recorder.consumer.start()
    await vi.waitFor(() => expect(recorder.values).toEqual(['before']), PATIENCE)
    await recorder.consumer.commit(recorder.generation, recorder.offsets)
    await server.stop()
    await server.start()
    await produce(topic, ['after'])
    await vi.waitFor(() => expect(recorder.values).toEqual(['before', 'after']), PATIENCE)
    expect(recorder.failures).toEqual([])
    await recorder.consumer.stop()
  }, 90_000)
})

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import { Kafka, type KafkaConfig, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { compile } from '../support/compiled.ts'
import { type KafkaBroker, kafkaAvailable, startBroker } from '../support/kafka/broker.ts'

/** The tests' own ground: what every other test against Kafka takes for granted of its broker. */
const available = await kafkaAvailable()
if (!available) console.warn('SKIPPED: the broker for tests')
const PATIENCE = { timeout: 30_000, interval: 50 }

const clientOf = (broker: KafkaBroker, options: Partial<KafkaConfig> = {}): Kafka =>
  new Kafka({ brokers: [broker.address], clientId: 'proof', logLevel: logLevel.NOTHING, ...options })

describe.skipIf(!available)('the broker for tests', () => {
  let broker: KafkaBroker
  let groups = 0
  beforeAll(async () => {
    broker = await startBroker({ partitions: 3 })
  })
  afterAll(() => broker?.remove())

  const consumed = async (topic: string, count: number): Promise<string[]> => {
    const values: string[] = []
    const consumer = clientOf(broker).consumer({ groupId: `proof-${++groups}`, maxWaitTimeInMs: 100 })
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    await consumer.run({
      async eachMessage({ message }) {
        values.push(message.value?.toString() ?? '')
      },
    })
    await vi.waitFor(() => expect(values).toHaveLength(count), PATIENCE)
    await consumer.disconnect()
    return values.sort()
  }
  const produce = async (topic: string, values: readonly string[]): Promise<void> => {
    const producer = clientOf(broker).producer({ idempotent: true })
    await producer.connect()
    await producer.send({ topic, messages: values.map((value) => ({ value })) })
    await producer.disconnect()
  }
  const metadata = async (options: Partial<KafkaConfig> = {}) => {
    const admin = clientOf(broker, options).admin()
    try {
      await admin.connect()
      return await admin.fetchTopicMetadata({ topics: await admin.listTopics() })
    } finally {
      await admin.disconnect()
    }
  }

  it('keeps its messages and its address when it is stopped, and when it is killed', async () => {
    const admin = clientOf(broker).admin()
    await admin.connect()
    await admin.createTopics({ topics: [{ topic: 'kept' }], waitForLeaders: true })
    await admin.disconnect()
    const { topics } = await metadata()
    expect(topics.find(({ name }) => name === 'kept')?.partitions).toHaveLength(3)
    await produce('kept', ['a', 'b'])
    expect(await consumed('kept', 2)).toEqual(['a', 'b'])
    const { address, pid } = broker

    await broker.stop()
    expect(broker.pid).toBeUndefined()
    await expect(metadata({ retry: { retries: 0 } })).rejects.toThrow()
    await broker.start()
    expect(broker.address).toBe(address)
    expect(broker.pid).not.toBe(pid)
    expect(await consumed('kept', 2)).toEqual(['a', 'b'])

    await produce('kept', ['c'])
    await broker.kill()
    await broker.start()
    expect(await consumed('kept', 3)).toEqual(['a', 'b', 'c'])
  })

  it('hangs while it is paused', async () => {
    broker.pause()
    await expect(
      metadata({ retry: { retries: 0 }, connectionTimeout: 500, requestTimeout: 500 }),
    ).rejects.toThrow(/timed? ?out/i)
    broker.resume()
    expect((await metadata()).topics).toBeDefined()
  })

  it('stops also when it is paused', async () => {
    broker.pause()
    await broker.stop()
    expect(broker.pid).toBeUndefined()
    await broker.start()
  })

  it('says why it could not start', async () => {
    await expect(startBroker({ properties: { 'num.io.threads': '0' } })).rejects.toThrow(/num\.io\.threads/)
  })

  it('does not outlive a process that was killed', async () => {
    const compiled = compile(['test/support/kafka/main.ts'])
    try {
      const owner = spawn(process.execPath, [compiled.module('test/support/kafka/main.ts')], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const ended = once(owner, 'exit')
      let log = ''
      for await (const line of createInterface({ input: owner.stdout })) {
        log = /log (\S+),/.exec(line)?.[1] ?? ''
        if (log !== '') break
      }
      expect(existsSync(log)).toBe(true)
      owner.kill('SIGKILL')
      await ended
      // The directory goes last, after the broker.
      await vi.waitFor(() => expect(existsSync(dirname(log))).toBe(false), PATIENCE)
    } finally {
      compiled.remove()
    }
  })
})

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import kafkajs, { CompressionTypes, Kafka, logLevel } from 'kafkajs'
import { compressFrameSync } from 'lz4-napi'
import { compressSync } from 'snappy'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Broker } from '../../ingest/broker.ts'
import { CodecError, MAX_BATCH_BYTES, registerCodecs } from '../../ingest/kafka-codecs.ts'
import { KAFKA_LIBS, type KafkaBroker, kafkaAvailable, startBroker } from '../support/kafka/broker.ts'
import { kafkaAt, Recorder } from '../support/kafka/consumer.ts'

const available = await kafkaAvailable()
const CODECS = [
  ['gzip', CompressionTypes.GZIP],
  ['snappy', CompressionTypes.Snappy],
  ['lz4', CompressionTypes.LZ4],
  ['zstd', CompressionTypes.ZSTD],
] as const
const run = promisify(execFile)
const java = (main: string, ...args: string[]) =>
  run('java', ['-Xmx256m', '-cp', `${KAFKA_LIBS}/*`, main, ...args], { maxBuffer: 64 * 1024 * 1024 })
const RECORDS = Array.from({ length: 200 }, (_, at) => `{"n":${at},"text":"${'ü€😀 abc '.repeat(at)}"}`)

describe.skipIf(!available)('the codecs of Kafka, against the Java client', () => {
  let server: KafkaBroker
  let broker: Broker
  beforeAll(async () => {
    server = await startBroker()
    broker = kafkaAt(server.address)
  })
  afterAll(async () => {
    await broker?.close()
    await server?.remove()
  })

  it.each(CODECS)('reads what Java compressed with %s', async (name) => {
    const topic = `java-${name}`
    await broker.ensureTopics([{ topic, partitions: 1 }])
    const producer = java(
      'org.apache.kafka.tools.ConsoleProducer',
      '--bootstrap-server',
      server.address,
      '--topic',
      topic,
      '--compression-codec',
      name,
      '--batch-size',
      '500000',
    )
    producer.child.stdin?.end(`${RECORDS.join('\n')}\n`)
    await producer
    const recorder = new Recorder(broker, `g-${topic}`, [topic])
    await recorder.consumer.start()
    await vi.waitFor(() => expect(recorder.values).toEqual(RECORDS), { timeout: 30_000 })
    await recorder.consumer.stop()
  })

  it.each(CODECS)('writes %s that Java reads', async (name, compression) => {
    const topic = `ours-${name}`
    await broker.ensureTopics([{ topic, partitions: 1 }])
    const producer = new Kafka({
      brokers: [server.address],
      clientId: 'raw',
      logLevel: logLevel.NOTHING,
    }).producer()
    await producer.connect()
    await producer.send({ topic, compression, messages: RECORDS.map((value) => ({ value })) })
    await producer.disconnect()
    const { stdout } = await java(
      'org.apache.kafka.tools.consumer.ConsoleConsumer',
      '--bootstrap-server',
      server.address,
      '--topic',
      topic,
      '--from-beginning',
      '--max-messages',
      String(RECORDS.length),
      '--timeout-ms',
      '20000',
    )
    expect(stdout.trimEnd().split('\n')).toEqual(RECORDS)
  })
})

describe('a codec', () => {
  registerCodecs()
  const decompress = (type: (typeof CODECS)[number][1], packed: Buffer): Promise<Buffer> =>
    kafkajs.CompressionCodecs[type]().decompress(packed)
  const pack = async (type: (typeof CODECS)[number][1], plain: Buffer): Promise<Buffer> =>
    kafkajs.CompressionCodecs[type]().compress({ buffer: plain })

  it.each(CODECS)('gives back what %s packed, also nothing', async (_, type) => {
    for (const plain of [Buffer.alloc(0), Buffer.from('x'), Buffer.alloc(3_000_000, 'abc')])
      expect((await decompress(type, await pack(type, plain))).equals(plain)).toBe(true)
  })

  it.each(CODECS)('refuses what is no %s', async (_, type) => {
    await expect(decompress(type, Buffer.from('garbage that is no frame'))).rejects.toThrow(CodecError)
    const whole = await pack(type, Buffer.alloc(100_000, 'abcdefg'))
    await expect(decompress(type, whole.subarray(0, whole.length - 20))).rejects.toThrow(CodecError)
  })

  it('refuses what unpacks to more than the limit', async () => {
    const bomb = Buffer.alloc(MAX_BATCH_BYTES + 1)
    await expect(decompress(CompressionTypes.GZIP, gzipSync(bomb))).rejects.toThrow(CodecError)
    await expect(decompress(CompressionTypes.Snappy, compressSync(bomb))).rejects.toThrow(CodecError)
    await expect(decompress(CompressionTypes.LZ4, compressFrameSync(bomb))).rejects.toThrow(CodecError)
    await expect(decompress(CompressionTypes.ZSTD, await pack(CompressionTypes.ZSTD, bomb))).rejects.toThrow(
      CodecError,
    )
  })
})

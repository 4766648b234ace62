import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
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

  const create = (topic: string): Promise<void> =>
    vi.waitFor(() => broker.ensureTopics([{ topic, partitions: 1 }]), { timeout: 30_000 })
  /** The codec that the broker keeps the topic's first batch in: the low bits of its attributes. */
  const codecOf = (topic: string): number => {
    const segment = readFileSync(join(server.dataDir, `${topic}-0`, '00000000000000000000.log'))
    return segment.readInt16BE(21) & 7
  }

  it.each(CODECS)('reads what Java compressed with %s', async (name, compression) => {
    const topic = `java-${name}`
    await create(topic)
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
    expect(codecOf(topic)).toBe(compression)
    const recorder = new Recorder(broker, `g-${topic}`, [topic])
    await recorder.consumer.start()
    await vi.waitFor(() => expect(recorder.values).toEqual(RECORDS), { timeout: 30_000 })
    await recorder.consumer.stop()
  })

  it.each(CODECS)('writes %s that Java reads', async (name, compression) => {
    const topic = `ours-${name}`
    await create(topic)
    const producer = new Kafka({
      brokers: [server.address],
      clientId: 'raw',
      logLevel: logLevel.NOTHING,
    }).producer()
    await producer.connect()
    await producer.send({ topic, compression, messages: RECORDS.map((value) => ({ value })) })
    await producer.disconnect()
    expect(codecOf(topic)).toBe(compression)
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
    const undecodable = { name: 'CodecError', code: 'undecodable-batch' }
    await expect(decompress(type, Buffer.from('garbage that is no frame'))).rejects.toMatchObject(undecodable)
    const whole = await pack(type, Buffer.alloc(100_000, 'abcdefg'))
    for (const missing of [1, 20, whole.length - 3])
      await expect(decompress(type, whole.subarray(0, whole.length - missing))).rejects.toMatchObject(
        undecodable,
      )
  })

  it.each(CODECS)('takes any damage to %s for data or for an error, and works on', async (_, type) => {
    const plain = Buffer.from(RECORDS.slice(0, 40).join('\n'))
    const whole = await pack(type, plain)
    const change = fc.record({ at: fc.nat(whole.length - 1), byte: fc.nat(255) })
    const damage = fc.record({
      changes: fc.array(change, { maxLength: 4 }),
      end: fc.option(fc.nat(whole.length), { nil: whole.length, freq: 3 }),
    })
    await fc.assert(
      fc.asyncProperty(damage, async ({ changes, end }) => {
        const damaged = Buffer.from(whole)
        for (const { at, byte } of changes) damaged[at] = byte
        const outcome = await decompress(type, damaged.subarray(0, end)).catch((error: unknown) => error)
        if (Buffer.isBuffer(outcome)) expect(outcome.length).toBeLessThanOrEqual(MAX_BATCH_BYTES)
        else expect(outcome).toBeInstanceOf(CodecError)
        expect((await decompress(type, whole)).equals(plain)).toBe(true)
      }),
      { numRuns: 300 },
    )
  })
})

describe('what unpacks to more than the limit', () => {
  registerCodecs()
  const refused = async (type: (typeof CODECS)[number][1], packed: Buffer): Promise<void> => {
    const codec = kafkajs.CompressionCodecs[type]()
    // Not even for a moment: 64 MB are set aside at most, and no gigabyte.
    const before = process.resourceUsage().maxRSS
    await expect(codec.decompress(packed)).rejects.toMatchObject({
      name: 'CodecError',
      code: 'oversized-batch',
    })
    expect(process.resourceUsage().maxRSS - before).toBeLessThan(400_000)
    const plain = Buffer.alloc(200_000, 'still at work')
    expect((await codec.decompress(await codec.compress({ buffer: plain }))).equals(plain)).toBe(true)
  }
  const uint32 = (value: number): Buffer => {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32LE(value)
    return bytes
  }

  it('is refused as gzip', async () => {
    // Members follow each other in one stream.
    await refused(
      CompressionTypes.GZIP,
      Buffer.concat(Array.from({ length: 100 }, () => gzipSync(Buffer.alloc(10_000_000)))),
    )
  })

  it('is refused as snappy, whole or in blocks', async () => {
    const claim = Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0])
    await refused(CompressionTypes.Snappy, claim)
    const xerial = await kafkajs.CompressionCodecs[CompressionTypes.Snappy]().compress({
      buffer: Buffer.alloc(0),
    })
    const block = compressSync(Buffer.alloc(10_000_000))
    const length = uint32(block.length).reverse()
    const blocks = Array.from({ length: 100 }, () => Buffer.concat([length, block]))
    await refused(CompressionTypes.Snappy, Buffer.concat([xerial, ...blocks]))
  })

  it('is refused as LZ4', async () => {
    const frame = compressFrameSync(Buffer.alloc(4 * 1024 * 1024))
    const header = frame.subarray(0, 7)
    const block = frame.subarray(7, -4)
    const end = frame.subarray(-4)
    const blocks = Array.from({ length: 250 }, () => block)
    await refused(CompressionTypes.LZ4, Buffer.concat([header, ...blocks, end]))
  })

  it('is refused as zstd, claimed or not', async () => {
    const magic = uint32(0xfd2fb528)
    /** One byte, 128 KiB times. */
    const repeated = (last: boolean) => {
      const header = ((128 * 1024) << 3) | (1 << 1) | (last ? 1 : 0)
      return Buffer.concat([uint32(header).subarray(0, 3), Buffer.from('x')])
    }
    // A single segment, its size in four bytes.
    await refused(
      CompressionTypes.ZSTD,
      Buffer.concat([magic, Buffer.from([0xa0]), uint32(0xc0000000), repeated(true)]),
    )
    // A window of 128 KiB and no size.
    const undeclared = Buffer.concat([magic, Buffer.from([0, 7 << 3])])
    const blocks = Array.from({ length: 8000 }, () => repeated(false))
    await refused(CompressionTypes.ZSTD, Buffer.concat([undeclared, ...blocks, repeated(true)]))
    // Frames follow each other in one stream.
    const frame = await kafkajs.CompressionCodecs[CompressionTypes.ZSTD]().compress({
      buffer: Buffer.alloc(10_000_000),
    })
    await refused(CompressionTypes.ZSTD, Buffer.concat(Array.from({ length: 100 }, () => frame)))
  })
})

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { KafkaOptions, KafkaSasl } from '../../ingest/kafka.ts'
import {
  type KafkaBroker,
  type KafkaBrokerOptions,
  kafkaAvailable,
  startBroker,
} from '../support/kafka/broker.ts'
import { ambientOf, kafkaAt } from '../support/kafka/consumer.ts'
import { PASSWORD, USERNAME, unsecuredToken } from '../support/kafka/security.ts'

const available = await kafkaAvailable()
if (!available) console.warn('SKIPPED: TLS and SASL against Apache Kafka')

const user = (mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512', password = PASSWORD): KafkaSasl => ({
  mechanism,
  username: USERNAME,
  password,
})
const bearer = (lifetimeSeconds: number): KafkaSasl => ({
  mechanism: 'oauthbearer',
  async token() {
    const now = Math.floor(Date.now() / 1000)
    return unsecuredToken({ sub: USERNAME, iat: now - 60, exp: now + lifetimeSeconds })
  },
})
const MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512'] as const

const TOPIC = 'guarded'

/** A broker with a guarded listener, and a topic that was made beside it. */
async function startGuarded(options: KafkaBrokerOptions): Promise<KafkaBroker> {
  const server = await startBroker(options)
  const broker = kafkaAt(server.address)
  await vi.waitFor(() => broker.ensureTopics([{ topic: TOPIC, partitions: 2 }]), { timeout: 30_000 })
  await broker.close()
  return server
}

/** Asks for the topic through the guarded listener. */
async function partitionsThrough(server: KafkaBroker, options: Partial<KafkaOptions>): Promise<number> {
  const broker = kafkaAt(server.secureAddress, options)
  try {
    return await broker.partitions(TOPIC)
  } finally {
    await broker.close()
  }
}

// The suites run side by side: kafkajs tries for a quarter of a minute before it gives up.
describe.skipIf(!available).concurrent('SASL over TLS', () => {
  let server: KafkaBroker
  let tls: { readonly ca: string }
  beforeAll(async () => {
    server = await startGuarded({ secure: 'SASL_SSL' })
    tls = { ca: server.security.ca }
  })
  afterAll(() => server?.remove())

  it.each(MECHANISMS)('lets in by %s, and not with a wrong password', async (mechanism) => {
    expect(await partitionsThrough(server, { tls, sasl: user(mechanism) })).toBe(2)
    await expect(partitionsThrough(server, { tls, sasl: user(mechanism, 'wrong') })).rejects.toMatchObject({
      code: 'broker-refused',
    })
  })

  it('lets in by a bearer token, and not by one that has expired', async () => {
    expect(await partitionsThrough(server, { tls, sasl: bearer(300) })).toBe(2)
    // kafkajs takes the broker's first answer to a bad token for a yes, and learns of the no from the closed connection.
    await expect(partitionsThrough(server, { tls, sasl: bearer(-45) })).rejects.toThrow()
  })

  it('does not trust a certificate of an authority that was not given', async () => {
    await expect(partitionsThrough(server, { tls: {}, sasl: user('plain') })).rejects.toThrow(
      /self.signed|certificate/i,
    )
  })

  it('never logs a password', async () => {
    const lines: string[] = []
    const fields: object[] = []
    const log: KafkaOptions['ambient']['log'] = (level, message, more) => {
      lines.push(`${level}: ${message}`)
      fields.push(more)
    }
    const ambient = { ...ambientOf(), log }
    await expect(
      partitionsThrough(server, { tls, ambient, sasl: user('plain', 'wrong-secret') }),
    ).rejects.not.toThrow(/wrong-secret/)
    expect(lines).not.toEqual([])
    expect(JSON.stringify([lines, fields])).not.toContain('wrong-secret')
  })
})

describe.skipIf(!available).concurrent('TLS with certificates of clients', () => {
  let server: KafkaBroker
  beforeAll(async () => {
    server = await startGuarded({ secure: 'SSL', properties: { 'ssl.client.auth': 'required' } })
  })
  afterAll(() => server?.remove())

  it('lets in who shows a trusted one, and nobody else', async () => {
    const { ca, cert, key } = server.security
    expect(await partitionsThrough(server, { tls: { ca, cert, key } })).toBe(2)
    await expect(partitionsThrough(server, { tls: { ca } })).rejects.toThrow()
  })
})

describe.skipIf(!available).concurrent('SASL without TLS', () => {
  let server: KafkaBroker
  beforeAll(async () => {
    server = await startGuarded({ secure: 'SASL_PLAINTEXT' })
  })
  afterAll(() => server?.remove())

  it('lets in by scram-sha-512, and nobody without', async () => {
    expect(await partitionsThrough(server, { sasl: user('scram-sha-512') })).toBe(2)
    await expect(partitionsThrough(server, {})).rejects.toThrow()
  })
})

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { createCompany } from '../../../datasets/company/company.ts'
import { DAY } from '../../../datasets/company/record.ts'
import type { Broker } from '../../../ingest/broker.ts'
import { type KafkaBroker, kafkaAvailable, startBroker } from '../../support/kafka/broker.ts'
import { lagOf, sendCompany } from '../../support/kafka/company-topics.ts'
import { kafkaAt, Recorder } from '../../support/kafka/consumer.ts'
import { type PlumblineProcess, startPlumbline } from '../../support/kafka/processes.ts'
import { ndjson, START, tampering, trails } from '../../support/service.ts'

const available = await kafkaAvailable()
const PATIENCE = { timeout: 60_000, interval: 200 }

describe.skipIf(!available)('the direct topology, on a real broker', () => {
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-direct-'))
  let server: KafkaBroker
  let broker: Broker
  let service: PlumblineProcess
  const environment = (data: string) => ({
    KAFKA_BROKERS: server.address,
    KAFKA_SESSION_MS: '6000',
    PLUMBLINE_DATA: join(folder, data),
  })
  const metric = async (name: string): Promise<number[]> => {
    const page = await (await fetch(`${service.address}/metrics`)).text()
    return page
      .split('\n')
      .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
      .map((line) => Number(line.slice(line.lastIndexOf(' ') + 1)))
  }
  const caughtUp = () =>
    vi.waitFor(
      async () => expect(await lagOf(server.address, 'plumbline.direct', /^plumbline\.raw\./)).toBe(0),
      PATIENCE,
    )
  beforeAll(async () => {
    server = await startBroker()
    broker = kafkaAt(server.address)
  })
  afterAll(async () => {
    await service?.kill()
    await broker?.close()
    await server?.remove()
    rmSync(folder, { recursive: true, force: true })
  })

  it('takes what is in the raw topics, counts it, and commits it once it is stored', async () => {
    const start = Date.UTC(2026, 4, 4)
    const company = createCompany({ seed: 5, start, days: 1, identities: 36, scale: 0.5 })
    const sent = await sendCompany(broker, company.records(start, start + DAY))
    service = await startPlumbline('all', environment('data'))
    await caughtUp()
    const counts = await metric('plumbline_kafka_records_total')
    const page = await (await fetch(`${service.address}/metrics`)).text()
    const sum = (outcome: string): number =>
      page
        .split('\n')
        .filter(
          (line) => line.startsWith('plumbline_kafka_records_total') && line.includes(`outcome="${outcome}"`),
        )
        .reduce((all, line) => all + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
    expect(counts.length).toBeGreaterThan(0)
    expect(sum('fetched')).toBe(sent)
    expect(sum('scored') + sum('filtered')).toBe(sent)
    expect(await metric('plumbline_conservation_violation')).toEqual([0])
    expect((await fetch(`${service.address}/ready`)).status).toBe(200)
  })

  it('publishes alerts and dead letters, with the original bytes', async () => {
    const producer = await broker.producer()
    const alerts = new Recorder(broker, 'reader-of-alerts', ['plumbline.alerts', 'plumbline.dead-letters'])
    await alerts.consumer.start()
    // Several records in one message, one of them broken.
    const message = `${ndjson([...trails('d', 3), tampering('t1')])}{"broken": \n`
    await producer.send('plumbline.raw.cloudtrail', [{ key: 'x', value: message }])
    await caughtUp()
    await vi.waitFor(() => {
      expect(alerts.deliveries.filter((d) => d.topic === 'plumbline.alerts')).not.toHaveLength(0)
      expect(alerts.deliveries.filter((d) => d.topic === 'plumbline.dead-letters')).not.toHaveLength(0)
    }, PATIENCE)
    const finding = z
      .object({ class_uid: z.literal(2004), finding_info: z.object({ uid: z.string() }) })
      .parse(
        JSON.parse(String(alerts.deliveries.find((d) => d.topic === 'plumbline.alerts')?.messages[0]?.value)),
      )
    expect(finding.finding_info.uid).not.toBe('')
    const letter = alerts.deliveries.find((d) => d.topic === 'plumbline.dead-letters')?.messages[0]
    expect(letter?.value?.toString()).toBe('{"broken": ')
    expect(new Date(START).getUTCFullYear()).toBe(2026)
    await alerts.consumer.stop()
    await producer.close()
  })

  it('refuses a second process of the group, which would split identities', async () => {
    const second = await startPlumbline('all', environment('other'))
    expect(await second.ended).toBe(2)
    expect(second.log.join('\n')).toContain('second-member')
    expect(service.running).toBe(true)
  })

  it('stops a partition before a flood of records that cannot be read, and says so', async () => {
    const producer = await broker.producer()
    await broker.ensureTopics([{ topic: 'plumbline.raw.vault-audit2', partitions: 1 }])
    await producer.send(
      'plumbline.raw.vault-audit2',
      Array.from({ length: 3000 }, (_, at) => ({ key: 'k', value: `no record ${at}` })),
    )
    await vi.waitFor(async () => {
      const answer = await fetch(`${service.address}/ready`)
      expect(answer.status).toBe(503)
      expect(await answer.text()).toContain('plumbline.raw.vault-audit2/0 is stopped')
    }, PATIENCE)
    expect(await metric('plumbline_conservation_violation')).toEqual([0])
    expect(service.log.join('\n')).toContain('poison-flood')
    await producer.close()
  })

  it('drains and leaves when it is told to stop', async () => {
    const before = performance.now()
    expect(await service.kill('SIGTERM')).toBe(0)
    expect(performance.now() - before).toBeLessThan(30_000)
  })
})

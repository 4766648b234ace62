import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createCompany } from '../../datasets/company/company.ts'
import { DAY } from '../../datasets/company/record.ts'
import { openStore } from '../../features/store/connection.ts'
import type { Broker } from '../../ingest/broker.ts'
import { type ClickHouseFront, startClickHouse } from '../support/clickhouse-front.ts'
import { type KafkaBroker, kafkaAvailable, startBroker } from '../support/kafka/broker.ts'
import { lagOf, sendCompany } from '../support/kafka/company-topics.ts'
import { kafkaAt } from '../support/kafka/consumer.ts'
import { type PlumblineProcess, startPlumbline } from '../support/kafka/processes.ts'

/** Store and broker gone for a while: consumption stops, memory stays, nothing is lost, and it goes on by itself. */
const available = await kafkaAvailable()
/** How long the store refuses to write; `OUTAGE_MS=60000` asks for a minute. */
const OUTAGE_MS = Number(process.env.OUTAGE_MS ?? 8000)
const DUE = { timeout: 120_000, interval: 250 }
const start = Date.UTC(2026, 4, 4)

describe.skipIf(!available)('outages under the keyed topology', () => {
  const company = createCompany({ seed: 8, start, days: 4, identities: 40 })
  let kafka: KafkaBroker
  let front: ClickHouseFront
  let broker: Broker
  const processes: PlumblineProcess[] = []
  let sent = 0

  beforeAll(async () => {
    ;[kafka, front] = await Promise.all([startBroker(), startClickHouse()])
    broker = kafkaAt(kafka.address)
    const environment = {
      KAFKA_BROKERS: kafka.address,
      KAFKA_SESSION_MS: '6000',
      CLICKHOUSE_URL: front.url,
      PLUMBLINE_PARTITIONS: '3',
    }
    for (const role of ['ingest', 'detect']) processes.push(await startPlumbline(role, environment))
  }, 120_000)
  afterAll(async () => {
    await Promise.all(processes.map((process) => process.kill()))
    await broker?.close()
    await kafka?.remove()
    await front?.remove()
  }, 60_000)

  const send = async (day: number): Promise<void> => {
    sent += await sendCompany(broker, company.records(start + day * DAY, start + (day + 1) * DAY))
  }
  const drained = (): Promise<void> =>
    vi.waitFor(async () => {
      expect(await lagOf(kafka.address, 'plumbline.ingest', /^plumbline\.raw\./)).toBe(0)
      expect(await lagOf(kafka.address, 'plumbline.detect', /^plumbline\.activity$/)).toBe(0)
    }, DUE)
  const ready = async (): Promise<number[]> =>
    Promise.all(processes.map(async ({ address }) => (await fetch(`${address}/ready`)).status))
  const violations = async (): Promise<string[]> =>
    Promise.all(
      processes.map(
        async ({ address }) =>
          /^plumbline_conservation_violation (.*)$/m.exec(
            await (await fetch(`${address}/metrics`)).text(),
          )?.[1] ?? '',
      ),
    )
  const stored = async (): Promise<number> => {
    const store = await openStore({ url: front.url })
    const { activities } = await store.horizon()
    await store.close()
    return activities
  }

  it('waits for a store that does not take writes, and goes on by itself', async () => {
    await send(0)
    await drained()
    await front.fail({ mode: 'fail-inserts' })
    const begun = performance.now()
    await send(1)
    // Not ready while nothing can be stored, and still alive.
    await vi.waitFor(async () => expect(await ready()).toContain(503), DUE)
    await vi.waitFor(() => expect(performance.now() - begun).toBeGreaterThan(OUTAGE_MS), {
      timeout: OUTAGE_MS * 2,
      interval: 200,
    })
    await front.heal()
    await drained()
    await vi.waitFor(async () => expect(await ready()).toEqual([200, 200]), DUE)
    expect(await violations()).toEqual(['0', '0'])
  }, 300_000)

  it('waits for a broker that is gone, and goes on by itself', async () => {
    await send(2)
    await kafka.kill()
    await kafka.start()
    await send(3)
    await drained()
    await vi.waitFor(async () => expect(await ready()).toEqual([200, 200]), DUE)
    expect(await violations()).toEqual(['0', '0'])
    expect(processes.map(({ running }) => running)).toEqual([true, true])
  }, 300_000)

  it('has lost nothing, and counted nothing twice', async () => {
    const store = await openStore({ url: front.url })
    expect(await store.checkRebuild()).toEqual([])
    await store.close()
    const pages = await Promise.all(
      processes.map(async ({ address }) => (await fetch(`${address}/metrics`)).text()),
    )
    const sum = (outcome: string): number =>
      (pages[0] ?? '')
        .split('\n')
        .filter(
          (line) => line.startsWith('plumbline_kafka_records_total') && line.includes(`outcome="${outcome}"`),
        )
        .reduce((all, line) => all + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
    // What ingest fetched twice after an outage it sent twice, and detect knew it.
    expect(sum('scored') + sum('filtered')).toBeGreaterThanOrEqual(sent)
    expect(await stored()).toBeGreaterThan(0)
  })
})

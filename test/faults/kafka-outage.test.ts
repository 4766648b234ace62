import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createCompany } from '../../datasets/company/company.ts'
import { type CompanyRecord, DAY } from '../../datasets/company/record.ts'
import { openEngine as openClickHouse } from '../../features/store/client.ts'
import { openStore } from '../../features/store/connection.ts'
import type { Broker } from '../../ingest/broker.ts'
import { createInterpreter, type ReadRecord } from '../../ingest/reader.ts'
import { loadSources } from '../../ingest/sources.ts'
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
  const company = createCompany({ seed: 8, start, days: 4, identities: 36, scale: 0.5 })
  let kafka: KafkaBroker
  let front: ClickHouseFront
  let broker: Broker
  const processes: PlumblineProcess[] = []
  /** Records sent that are behaviour: each has an id of its own. */
  let understood = 0
  let accepted: (records: readonly CompanyRecord[]) => number

  beforeAll(async () => {
    ;[kafka, front] = await Promise.all([startBroker(), startClickHouse()])
    broker = kafkaAt(kafka.address)
    const registry = await loadSources()
    accepted = (records) => {
      const read: ReadRecord[] = []
      const interpreter = createInterpreter({ registry, tenant: '', arrival: Date.now(), origin: 'test' })
      for (const { line } of records) {
        const bytes = Buffer.from(line)
        interpreter.interpretLine(
          { bytes, start: 0, end: bytes.length, line: 1, offset: 0, fault: undefined },
          read,
        )
      }
      return read.filter(({ verdict }) => verdict.outcome === 'accepted').length
    }
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
    const records = [...company.records(start + day * DAY, start + (day + 1) * DAY)]
    await sendCompany(broker, records)
    understood += accepted(records.flat())
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
  const stored = async (): Promise<unknown> => {
    const engine = await openClickHouse({ url: front.url }, 1)
    const [session] = engine.sessions
    const rows = await session?.rows('SELECT uniqExact(uid), count() FROM activity FINAL')
    await session?.close()
    await engine.release()
    return rows?.[0]
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
    expect(await stored()).toEqual([understood, understood])
  })
})

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { startEngine } from '../../api/engine.ts'
import { loadAttacks } from '../../datasets/attacks.ts'
import { type Company, createCompany } from '../../datasets/company/company.ts'
import { DAY, HOUR } from '../../datasets/company/record.ts'
import { type Added, withAttacks } from '../../datasets/company/stream.ts'
import { Feed } from '../../datasets/feed.ts'
import { Random } from '../../datasets/random.ts'
import { loadDetectors } from '../../detectors/detectors.ts'
import { openEngine as openClickHouse } from '../../features/store/client.ts'
import { TABLES } from '../../features/store/columns.ts'
import { openStore } from '../../features/store/connection.ts'
import type { Broker } from '../../ingest/broker.ts'
import { createNormaliser } from '../../ingest/normalise.ts'
import { openOrigins } from '../../ingest/origin.ts'
import { loadSources } from '../../ingest/sources.ts'
import { type ClickHouseFront, startClickHouse } from '../support/clickhouse-front.ts'
import { type KafkaBroker, kafkaAvailable, startBroker } from '../support/kafka/broker.ts'
import { lagOf, sendCompany } from '../support/kafka/company-topics.ts'
import { kafkaAt } from '../support/kafka/consumer.ts'
import { type PlumblineProcess, startPlumbline } from '../support/kafka/processes.ts'

/**
 * The promise of exactly one effect, by really killing processes of the keyed topology at random moments: the same input once
 * undisturbed and once under fire ends in the same store. `KILLS` and `RECORDS` in the environment ask for more or less.
 */
const available = await kafkaAvailable()
const KILLS = Number(process.env.KILLS ?? 12)
const RECORDS = Number(process.env.RECORDS ?? 40_000)
const SEED = Number(process.env.SEED ?? 11)
const HISTORY_DAYS = 6
const start = Date.UTC(2026, 4, 4)
const live = start + HISTORY_DAYS * DAY
const IDENTITIES = 60
/** Records of the company in a day. */
const PER_DAY = 24 * 20 * IDENTITIES
const DAYS = Math.max(1, Math.ceil(RECORDS / PER_DAY))
const DUE = { timeout: 300_000, interval: 250 }

interface World {
  readonly kafka: KafkaBroker
  readonly broker: Broker
  readonly front: ClickHouseFront
  readonly database: string
  readonly processes: PlumblineProcess[]
}

describe.skipIf(!available)(`${KILLS} kills while ${RECORDS} records flow`, () => {
  const company: Company = createCompany({
    seed: SEED,
    start,
    days: HISTORY_DAYS + DAYS + 1,
    identities: IDENTITIES,
  })
  let front: ClickHouseFront
  let attacks: readonly Added[]
  const worlds: World[] = []

  beforeAll(async () => {
    front = await startClickHouse()
    const wanted = [
      'stolen-pod-token',
      'stolen-key-recon',
      'self-escalation',
      'partner-key-enumeration',
      'secrets-harvest',
    ]
    attacks = (await loadAttacks())
      .filter(({ id }) => wanted.includes(id))
      .map((attack, index) =>
        attack.inject({ company, random: new Random(SEED), at: live + (2 + index * 3) * HOUR }),
      )
  }, 120_000)
  afterAll(async () => {
    for (const { processes, broker, kafka } of worlds) {
      await Promise.all(processes.map((process) => process.kill()))
      await broker.close()
      await kafka.remove()
    }
    await front?.remove()
  }, 60_000)

  const environmentOf = (world: World): Record<string, string> => ({
    KAFKA_BROKERS: world.kafka.address,
    KAFKA_SESSION_MS: '3000',
    CLICKHOUSE_URL: front.url,
    CLICKHOUSE_DATABASE: world.database,
    PLUMBLINE_PARTITIONS: '6',
  })

  /** What came before, learnt by one process. */
  async function learn(database: string): Promise<void> {
    const store = await openStore({ url: front.url, database })
    const engine = await startEngine(
      {
        store,
        registry: await loadSources(),
        detectors: await loadDetectors(),
        normalise: createNormaliser({ origins: await openOrigins() }),
        alertsPerDay: 2,
      },
      { includePeople: false, learnUntil: live, publish: async () => {} },
    )
    const feed = new Feed(engine, { arrival: live, origin: 'history' })
    for (const batch of company.records(start, live)) await feed.give(batch)
    await feed.flush()
    await engine.close()
  }

  /** The same past in another database. */
  async function copy(from: string, to: string): Promise<void> {
    await (await openStore({ url: front.url, database: to })).close()
    const engine = await openClickHouse({ url: front.url, database: to }, 1)
    const [session] = engine.sessions
    if (session === undefined) throw new Error('no session')
    for (const table of TABLES) await session.run(`INSERT INTO ${to}.${table} SELECT * FROM ${from}.${table}`)
    await session.close()
    await engine.release()
  }

  async function newWorld(database: string): Promise<World> {
    const kafka = await startBroker()
    const world = { kafka, broker: kafkaAt(kafka.address), front, database, processes: [] }
    worlds.push(world)
    return world
  }

  async function run(
    world: World,
    roles: readonly string[],
    disturb: (moment: number) => Promise<void>,
  ): Promise<void> {
    for (const role of roles) world.processes.push(await startPlumbline(role, environmentOf(world)))
    let sent = 0
    // A day at a time, as live traffic: no producer is days ahead of another.
    for (let day = 0; day < DAYS && sent < RECORDS; day++) {
      const [from, to] = [live + day * DAY, live + (day + 1) * DAY]
      const sending = sendCompany(world.broker, withAttacks(company, attacks, from, to))
      await disturb(day)
      sent += await sending
      await drained(world)
    }
  }

  const drained = (world: World): Promise<void> =>
    vi.waitFor(async () => {
      expect(await lagOf(world.kafka.address, 'plumbline.ingest', /^plumbline\.raw\./)).toBe(0)
      expect(await lagOf(world.kafka.address, 'plumbline.detect', /^plumbline\.activity$/)).toBe(0)
    }, DUE)

  async function contents(world: World): Promise<Record<string, readonly (readonly unknown[])[]>> {
    await Promise.all(
      world.processes.filter(({ running }) => running).map((process) => process.kill('SIGTERM')),
    )
    const engine = await openClickHouse({ url: front.url, database: world.database }, 1)
    const [session] = engine.sessions
    if (session === undefined) throw new Error('no session')
    const read: Record<string, readonly (readonly unknown[])[]> = {}
    for (const [name, sql] of Object.entries(QUERIES)) read[name] = await session.rows(sql)
    await session.close()
    await engine.release()
    return read
  }

  it('loses nothing, does nothing twice and alerts the same', async () => {
    await learn('calm')
    await copy('calm', 'storm')
    const calm = await newWorld('calm')
    await run(calm, ['ingest', 'detect', 'detect'], async () => {})
    const expected = await contents(calm)

    const storm = await newWorld('storm')
    const random = new Random(SEED)
    let kills = 0
    await run(storm, ['ingest', 'ingest', 'detect', 'detect', 'detect'], async () => {
      const until = Math.ceil(KILLS / DAYS)
      for (let index = 0; index < until && kills < KILLS; index++) {
        await new Promise((resolve) => setTimeout(resolve, random.int(1500)))
        const at = random.int(storm.processes.length)
        const victim = storm.processes[at]
        if (victim === undefined) continue
        await victim.kill('SIGKILL')
        kills += 1
        storm.processes[at] = await startPlumbline(victim.role, environmentOf(storm))
      }
    })
    const found = await contents(storm)
    expect(kills).toBe(KILLS)
    expect(found.activities).toEqual(expected.activities)
    expect(found.twice).toEqual([])
    expect(found.alerts).toEqual(expected.alerts)
    expect(expected.alerts?.length).toBeGreaterThan(0)
    expect(found.calibration).toEqual(expected.calibration)
    expect(closed(found, Number.POSITIVE_INFINITY, closed(expected))).toEqual(
      closed(expected, Number.POSITIVE_INFINITY, closed(found)),
    )
    // Hours close when their identity goes on, or with the day: until then they are in the activities.
    const settledBefore = (live + (DAYS - 2) * DAY) / HOUR
    expect(closed(found, settledBefore)).toEqual(closed(expected, settledBefore))
    expect(found.held).toEqual(expected.held)
    expect(found.presence).toEqual(expected.presence)
  }, 1_500_000)
})

/** Closed hours before an hour, by identity and hour; only those that another store has closed as well, if one is given. */
function closed(
  { units = [] }: Readonly<Record<string, readonly (readonly unknown[])[]>>,
  before = Number.POSITIVE_INFINITY,
  among?: ReadonlyMap<string, unknown>,
): Map<string, string> {
  const rows = units.map(([identity, hour, ...rest]) => ({
    key: `${identity} ${hour}`,
    hour: Number(hour),
    rest,
  }))
  return new Map(
    rows
      .filter(({ key, hour }) => hour < before && (among === undefined || among.has(key)))
      .map(({ key, rest }) => [key, JSON.stringify(rest)]),
  )
}

/** Sums of fractions differ in their last digits, by the order of adding after a restart. */
const QUERIES = {
  activities: 'SELECT count(), uniqExact(uid), sum(cityHash64(uid, identity, time)) FROM activity FINAL',
  twice: 'SELECT uid FROM activity FINAL GROUP BY uid HAVING count() > 1 LIMIT 10',
  alerts: `SELECT uid, identity, day, JSONExtractString(body, 'severity') FROM alert FINAL ORDER BY uid`,
  units: `SELECT identity, hour, events, denied, failed, actions, resources, bytes, round(learned_events, 6), learned, state, stratum,
    scores, surprise, arraySort(novel) FROM unit FINAL ORDER BY identity, hour`,
  calibration:
    'SELECT day, stratum, detector, sum(bin * units), sum(units) FROM calibration FINAL GROUP BY day, stratum, detector ORDER BY day, stratum, detector',
  held: 'SELECT identity, feature, value, hour, state, reason FROM held FINAL ORDER BY identity, feature, value',
  presence: `SELECT count(), sum(cityHash64(identity, feature, value, day, hours)) FROM
    (SELECT identity, feature, value, day, groupBitOr(hours) AS hours FROM presence WHERE day < ${(live + (DAYS - 2) * DAY) / DAY} GROUP BY identity, feature, value, day)`,
} as const

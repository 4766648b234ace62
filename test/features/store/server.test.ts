import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { createClient } from '@clickhouse/client'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { openEngine, type Target } from '../../../features/store/client.ts'
import { openStore, type Store, type StoreOptions } from '../../../features/store/connection.ts'
import type { Session } from '../../../features/store/session.ts'
import { StoreError } from '../../../features/store/store-error.ts'
import {
  type ClickHouseFront,
  clickHouseAvailable,
  type Fault,
  startClickHouse,
} from '../../support/clickhouse-front.ts'
import { contents, fullBatch } from '../../support/server-store.ts'
import { activity, emptyBatch, storeFolder } from '../../support/store.ts'

/** The store on a server: HTTP, in front of the real embedded engine, and everything that can go wrong between. */
const available = clickHouseAvailable()
if (!available) console.warn('SKIPPED: the store on a server, which needs chdb (npm install chdb)')
const PASSWORD = 'hush'
const TIMEOUT = 400

describe.skipIf(!available)('a store on a server', () => {
  let front: ClickHouseFront
  const folder = storeFolder()
  const open: { close(): Promise<void> }[] = []
  let databases = 0
  beforeAll(async () => {
    front = await startClickHouse({ password: PASSWORD })
  })
  afterEach(async () => {
    await front.heal()
    for (const opened of open.splice(0)) await opened.close()
  })
  afterAll(async () => {
    await front?.remove()
    await folder.remove()
  })

  const target = (database: string): Target => ({ url: front.url, password: PASSWORD, database })
  const newDatabase = (): string => {
    databases += 1
    return `server_${databases}`
  }
  async function store(database: string, options: StoreOptions = {}): Promise<Store> {
    const opened = await openStore({ ...target(database), ...options })
    open.push(opened)
    return opened
  }
  async function session(options: Partial<Target> = {}): Promise<Session> {
    const engine = await openEngine({ ...target('sessions'), ...options }, 1)
    const [opened] = engine.sessions
    if (opened === undefined) throw new Error('no session')
    open.push(opened)
    return opened
  }
  async function written(database: string, numbers: readonly number[]): Promise<Store> {
    const opened = await store(database)
    for (const number of numbers) {
      const { batch, late } = fullBatch(number)
      await opened.write(batch, late)
    }
    return opened
  }

  it('gives the same answers as the embedded one', async () => {
    const answers = async (options: StoreOptions): Promise<unknown> => {
      const opened = await openStore(options)
      for (const number of [1, 2, 2, 3, 1]) {
        const { batch, late } = fullBatch(number)
        await opened.write(batch, late)
      }
      await opened.setCursor('c', 'one')
      await opened.setCursor('c', "two 'quoted' \n")
      const repairs = await opened.pendingRepairs()
      await opened.repair(repairs.slice(0, 1))
      const candidates = fullBatch(2).batch.activities.map(({ uid, identity, time }) => ({
        uid,
        identity: identity.id,
        time,
      }))
      const known = await opened.knownUids([...candidates, { uid: 'unknown', identity: 'crash 0', time: 1 }])
      await opened.fence()
      const before = {
        repairs,
        left: await opened.pendingRepairs(),
        known: [...known].sort(),
        loaded: [...(await opened.load(['crash 0', 'crash 1', 'nobody']))],
        estate: await opened.loadEstate(),
        calibration: await opened.calibration(0, 10),
        units: await opened.scoredUnits(0, 40_000),
        cursors: [await opened.cursor('c'), await opened.cursor('none')],
        maxTime: (await opened.horizon()).maxTime,
        differences: await opened.checkRebuild(),
        alerts: await opened.analyst.alerts({ limit: 10 }),
      }
      await opened.rebuild()
      const after = {
        differences: await opened.checkRebuild(),
        loaded: [...(await opened.load(['crash 0']))],
      }
      await opened.close()
      return { before, after, contents: await contents(options) }
    }
    const embedded = await answers({ path: folder.path, database: 'contract' })
    const server = await answers(target(newDatabase()))
    expect(server).toEqual(embedded)
    expect(server).toMatchObject({ before: { differences: [] }, after: { differences: [] } })
  })

  it('keeps activities as long as it is told', async () => {
    const database = newDatabase()
    const probe = await session()
    const ttl = async (retentionMonths?: number): Promise<unknown> => {
      await store(database, { retentionMonths })
      const [row] = await probe.rows(
        `SELECT extract(engine_full, 'toInterval(\\\\w+\\\\(\\\\d+\\\\))') FROM system.tables WHERE database = '${database}' AND name = 'activity'`,
      )
      return row?.[0]
    }
    expect([await ttl(13), await ttl(6), await ttl()]).toEqual(['Month(13)', 'Month(6)', ''])
  })

  it('shows its credentials to the server, and to nobody else', async () => {
    const refused = await openStore({ url: front.url, password: 'wrong' }).catch((error: unknown) => error)
    expect(refused).toMatchObject({
      code: 'store-unreachable',
      message: expect.stringContaining('Authentication'),
    })
    expect(String(refused)).not.toContain('wrong')
  })

  it('sends its settings with every statement and leaves none behind', async () => {
    const ours = await session()
    const theirs = createClient({ url: front.url, password: PASSWORD })
    open.push(theirs)
    const question = "SELECT toUInt64(getSetting('max_query_size'))"
    const asked = async (max_query_size?: string): Promise<unknown> => {
      const result = await theirs.query({
        query: question,
        format: 'JSONCompactEachRow',
        clickhouse_settings: max_query_size === undefined ? {} : { max_query_size },
      })
      return result.json()
    }
    for (let round = 0; round < 3; round++) {
      expect(await ours.rows(question)).toEqual([[268_435_456]])
      expect(await asked()).toEqual([[262_144]])
      expect(await asked('300000')).toEqual([[300_000]])
    }
  })

  it('could send binary blocks as a stream', async () => {
    const client = createClient({ url: front.url, password: PASSWORD })
    open.push(client)
    await client.command({ query: 'CREATE TABLE binary (a UInt64, b String) ENGINE = MergeTree ORDER BY a' })
    const { stream } = await client.exec({
      query: "SELECT number AS a, '\\xff\\0' AS b FROM numbers(3) FORMAT Native",
    })
    const block = await buffer(stream)
    for (const at of [0, block.length]) {
      const { stream: answer } = await client.exec({
        query: 'INSERT INTO binary (a, b) SETTINGS async_insert = 0 FORMAT Native',
        values: Readable.from([block.subarray(0, at), block.subarray(at)]),
      })
      await buffer(answer)
    }
    const result = await client.query({
      query: 'SELECT a, hex(b) FROM binary ORDER BY a',
      format: 'JSONCompactEachRow',
    })
    const rows = [0, 0, 1, 1, 2, 2].map((number) => [number, 'FF00'])
    expect(await result.json()).toEqual(rows)
  })

  describe('that is lost while it writes', () => {
    const TABLES = 'alert held repair dead_letter activity presence calibration unit'.split(' ')
    /** Of batches 1 and 2, and of one for each table, when nothing is lost. */
    let expected: unknown
    let all: unknown
    beforeAll(async () => {
      const [two, one] = [newDatabase(), newDatabase()]
      await written(two, [1, 2])
      expected = await contents(target(two))
      await written(one, [...TABLES.keys()])
      all = await contents(target(one))
      for (const opened of open.splice(0)) await opened.close()
    })

    const LOSSES = ['apply-then-reset', 'reset-keepalive', 'half-insert'] as const
    it.each(LOSSES)('%s: goes on by itself, table by table', async (mode) => {
      const database = newDatabase()
      const opened = await store(database)
      for (const [number, table] of TABLES.entries()) {
        await front.fail({ mode, only: `^INSERT INTO ${table} `, times: 1 })
        const { batch, late } = fullBatch(number)
        await opened.write(batch, late)
        expect(await front.heal()).toBe(1)
      }
      expect(await contents(target(database))).toEqual(all)
    })

    const UNKNOWN = ['apply-then-reset', 'half-insert', 'refuse'] as const
    it.each(UNKNOWN)(
      '%s again: says that the outcome is unknown, and heals by the same batch',
      async (mode) => {
        const database = newDatabase()
        const opened = await written(database, [1])
        await front.fail({ mode })
        const { batch, late } = fullBatch(2)
        await expect(opened.write(batch, late)).rejects.toMatchObject({
          code: 'store-write-failed',
          message: expect.stringContaining('safe to repeat'),
          cause: expect.objectContaining({ code: 'ECONNRESET' }),
        })
        // Once, and once again.
        expect(await front.heal()).toBe(2)
        await opened.write(batch, late)
        expect(await contents(target(database))).toEqual(expected)
      },
    )

    it('apply-then-timeout: gives up in time, and heals by the same batch', async () => {
      for (const table of ['alert', 'activity', 'unit']) {
        const database = newDatabase()
        await written(database, [1])
        const opened = await store(database, { requestTimeout: TIMEOUT })
        await front.fail({ mode: 'apply-then-timeout', only: `^INSERT INTO ${table} ` })
        const { batch, late } = fullBatch(2)
        await expect(opened.write(batch, late)).rejects.toMatchObject({
          code: 'store-timeout',
          message: expect.stringContaining('safe to repeat'),
        })
        // Not sent again at once: the server has enough to do.
        expect(await front.heal()).toBe(1)
        await opened.write(batch, late)
        expect(await contents(target(database))).toEqual(expected)
      }
    })

    it('fail-inserts: says why, reads on, and heals by the same batch', async () => {
      const database = newDatabase()
      const opened = await written(database, [1])
      await front.fail({ mode: 'fail-inserts' })
      const { batch, late } = fullBatch(2)
      await expect(opened.write(batch, late)).rejects.toMatchObject({
        code: 'store-write-failed',
        message: expect.stringContaining('Cannot reserve'),
        cause: expect.objectContaining({ code: '243' }),
      })
      expect(await opened.knownUids([{ uid: '1-0', identity: 'crash 0', time: 0 }])).toEqual(new Set())
      // An answer is an answer: nothing is sent twice.
      expect(await front.heal()).toBe(1)
      await opened.write(batch, late)
      expect(await contents(target(database))).toEqual(expected)
    })

    it('error-after-200: takes no exception for success', async () => {
      const database = newDatabase()
      const opened = await written(database, [1])
      await front.fail({ mode: 'error-after-200', style: 'text', only: '^INSERT INTO activity ' })
      const { batch, late } = fullBatch(2)
      await expect(opened.write(batch, late)).rejects.toMatchObject({
        code: 'store-write-failed',
        message: expect.stringContaining('Memory limit'),
      })
      expect(await front.heal()).toBe(1)
      await opened.write(batch, late)
      expect(await contents(target(database))).toEqual(expected)
    })

    it('slow: waits', async () => {
      const database = newDatabase()
      const opened = await written(database, [1])
      await front.fail({ mode: 'slow', milliseconds: 60 })
      const { batch, late } = fullBatch(2)
      await opened.write(batch, late)
      expect(await front.heal()).toBe(TABLES.length + 1)
      expect(await contents(target(database))).toEqual(expected)
    })

    it('lets no statement overtake one that the server is still at', async () => {
      const opened = await store(newDatabase(), { requestTimeout: TIMEOUT })
      const other = await session()
      await front.fail({ mode: 'slow', milliseconds: 3 * TIMEOUT, only: '^INSERT INTO cursor', times: 1 })
      await expect(opened.setCursor('c', 'first')).rejects.toMatchObject({ code: 'store-timeout' })
      const running = "SELECT query_kind FROM system.processes WHERE query_kind = 'Insert'"
      expect(await other.rows(running)).toHaveLength(1)
      await opened.setCursor('c', 'second')
      expect(await other.rows(running)).toHaveLength(0)
      expect(await opened.cursor('c')).toBe('second')
    })

    it('sends nothing again for somebody who may not write any more', async () => {
      const database = newDatabase()
      const opened = await store(database)
      await front.fail({ mode: 'reset-keepalive', only: '^INSERT INTO activity' })
      let asked = 0
      const stale = new Error('stale')
      const { batch, late } = fullBatch(1)
      const writing = opened.write({ ...batch, alerts: [], held: [], deadLetters: [] }, late, () => {
        // 1 alerts, 2 held, 3 and 4 repairs, 5 dead letters, 6 and 7 activities, 8 before those are sent again.
        asked += 1
        if (asked === 8) throw stale
      })
      await expect(writing).rejects.toBe(stale)
      expect(await front.heal()).toBe(1)
      expect((await contents(target(database))).activity).toEqual([])
    })

    it('is waited for by whoever takes over', async () => {
      const database = newDatabase()
      const [theirs, ours] = [await store(database), await store(database)]
      await front.fail({ mode: 'slow', milliseconds: TIMEOUT, only: '^INSERT INTO activity' })
      const writing = theirs.write({ ...emptyBatch, activities: [activity('u', 'i', 5)] })
      const probe = await session()
      const inserts = "SELECT 1 FROM system.processes WHERE query_kind = 'Insert'"
      while ((await probe.rows(inserts)).length === 0);
      await ours.fence()
      expect((await ours.load(['i'])).get('i')?.open.map(({ uid }) => uid)).toEqual(['u'])
      await writing
      expect(await front.heal()).toBe(1)
    })
  })

  describe('that is lost while it reads', () => {
    const ROWS = 1000
    const question = `SELECT toString(number) FROM numbers(${ROWS})`
    const only = 'FROM numbers'

    it.each(['text', 'row', 'tagged'] as const)(
      'error-after-200 (%s): never takes half of the rows for all of them',
      async (style) => {
        const reading = await session()
        await front.fail({ mode: 'error-after-200', style, only })
        for (const sql of [question, `${question} LIMIT 1`, `${question} LIMIT 0`])
          await expect(reading.rows(sql)).rejects.toMatchObject({
            code: 'store-read-failed',
            message: expect.stringContaining('Memory limit'),
          })
        expect(await front.heal()).toBe(3)
        expect(await reading.rows(question)).toHaveLength(ROWS)
      },
    )

    it('says so when the engine itself fails after a megabyte', async () => {
      const reading = await session()
      const failing =
        'SELECT number, throwIf(number = 190000) FROM numbers(200000) SETTINGS max_block_size = 1000'
      const next = reading.rows(question)
      await expect(reading.rows(failing)).rejects.toMatchObject({
        code: 'store-read-failed',
        message: expect.stringContaining('is non-zero'),
      })
      expect(await next).toHaveLength(ROWS)
    })

    const ONCE: readonly Fault[] = [
      { mode: 'error-after-200', style: 'cut', only, times: 1 },
      { mode: 'reset-keepalive', only, times: 1 },
      { mode: 'apply-then-reset', only, times: 1 },
    ]
    it.each(ONCE)('$mode: asks again, once', async (fault) => {
      const reading = await session()
      await reading.rows('SELECT 1')
      await front.fail(fault)
      expect(await reading.rows(question)).toHaveLength(ROWS)
      expect(await front.heal()).toBe(1)
    })

    const ALWAYS: readonly Fault[] = [
      { mode: 'error-after-200', style: 'cut', only },
      { mode: 'apply-then-reset', only },
      { mode: 'refuse' },
    ]
    it.each(ALWAYS)('$mode again: fails, and reads when it is over', async (fault) => {
      const reading = await session()
      await front.fail(fault)
      await expect(reading.rows(question)).rejects.toMatchObject({
        code: 'store-read-failed',
        message: expect.not.stringContaining('safe to repeat'),
      })
      expect(await front.heal()).toBe(2)
      expect(await reading.rows(question)).toHaveLength(ROWS)
    })

    it('apply-then-timeout: gives up in time', async () => {
      const reading = await session({ requestTimeout: TIMEOUT })
      await front.fail({ mode: 'apply-then-timeout', only })
      const next = reading.rows('SELECT 2')
      await expect(reading.rows(question)).rejects.toMatchObject({ code: 'store-timeout' })
      expect(await next).toEqual([[2]])
      expect(await front.heal()).toBe(1)
    })
  })

  it('that refuses everybody is named when it is opened', async () => {
    await front.fail({ mode: 'refuse' })
    const error = await openStore(target('refused')).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(StoreError)
    expect(error).toMatchObject({
      code: 'store-unreachable',
      message: expect.stringContaining(new URL(front.url).host),
    })
  })
})

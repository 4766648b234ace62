import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Target } from '../../../features/store/client.ts'
import { openStore, type Store } from '../../../features/store/connection.ts'
import { type ClickHouseFront, clickHouseAvailable, startClickHouse } from '../../support/clickhouse-front.ts'
import { type Compiled, compile } from '../../support/compiled.ts'
import { contents, fullBatch } from '../../support/server-store.ts'

/** A server that dies under its clients, clients that die under their server, and clients side by side. */
const available = clickHouseAvailable()
if (!available) console.warn('SKIPPED: the store on a server, which needs chdb (npm install chdb)')
const CYCLES = 8

describe.skipIf(!available)('a server and its clients', () => {
  let front: ClickHouseFront
  let compiled: Compiled
  beforeAll(async () => {
    front = await startClickHouse()
    compiled = compile(['features/store/connection.ts', 'test/support/server-store.ts'])
  })
  afterAll(async () => {
    await front?.remove()
    compiled?.remove()
  })

  const target = (database: string): Target => ({ url: front.url, database })
  const write = (store: Store, number: number, who?: string): Promise<void> => {
    const { batch, late } = fullBatch(number, who)
    return store.write(batch, late)
  }
  /** What batches 0 to `batches - 1` come to when nothing goes wrong. */
  async function undisturbed(
    database: string,
    batches: number,
    everybody: readonly string[] = [''],
  ): Promise<unknown> {
    const store = await openStore(target(database))
    for (const who of everybody)
      for (let number = 0; number < batches; number++) await write(store, number, who)
    await store.close()
    return contents(target(database))
  }

  /** A process that writes batches from `from` on and prints the number of each when it is durable. */
  function writer(database: string, who: string, from: number, to: number): ChildProcess {
    const code = `
      import { openStore } from ${JSON.stringify(compiled.module('features/store/connection.ts'))}
      import { fullBatch } from ${JSON.stringify(compiled.module('test/support/server-store.ts'))}
      const store = await openStore(${JSON.stringify(target(database))})
      for (let number = ${from}; number < ${to}; number++) {
        const { batch, late } = fullBatch(number, ${JSON.stringify(who)})
        await store.write(batch, late)
        console.log(number)
      }
      await store.close()`
    return spawn(process.execPath, ['--input-type=module', '-e', code], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
  }

  it(`are exact after ${CYCLES} kills of the server in the middle of writing`, async () => {
    const store = await openStore(target('killed'))
    const refused: unknown[] = []
    let number = 0
    for (let cycle = 0; cycle < CYCLES; cycle++) {
      await write(store, number++)
      // A little later each time: somewhere inside the statements of a batch.
      const killed = sleep(cycle * 7).then(() => front.kill())
      for (const before = refused.length; refused.length === before; ) {
        await write(store, number).then(
          () => number++,
          (error: unknown) => refused.push(error),
        )
      }
      await killed
      await front.restart()
      // The batch that was cut off is due once more, in the same store.
      await write(store, number++)
    }
    for (const error of refused) expect(error).toMatchObject({ code: 'store-write-failed' })
    expect(refused).toHaveLength(CYCLES)
    expect(await store.checkRebuild()).toEqual([])
    await store.close()
    expect(await contents(target('killed'))).toEqual(await undisturbed('calm', number))
  }, 120_000)

  it('are exact when clients are killed and others take over', async () => {
    let next = 0
    for (let cycle = 0; cycle < 4; cycle++) {
      const child = writer('heirs', '', next, Number.MAX_SAFE_INTEGER)
      const exited = once(child, 'exit')
      if (child.stdout === null) throw new Error('no output')
      let written = 0
      for await (const line of createInterface({ input: child.stdout })) {
        next = Number(line) + 1
        written += 1
        if (written === 2) setTimeout(() => child.kill('SIGKILL'), cycle * 7)
      }
      expect(await exited).toEqual([null, 'SIGKILL'])
      const heir = await openStore(target('heirs'))
      await heir.fence()
      await write(heir, next)
      await heir.close()
    }
    expect(await contents(target('heirs'))).toEqual(await undisturbed('heirs_calm', next + 1))
  }, 120_000)

  it('do not disturb each other: processes that open and write at once', async () => {
    const everybody = ['a', 'b', 'c']
    const batches = 6
    const children = everybody.map((who) => writer('together', ` ${who}`, 0, batches))
    // And one that reads what comes.
    const reader = await openStore(target('together'))
    const ended = Promise.all(children.map((child) => once(child, 'exit')))
    for (const child of children) child.stdout?.resume()
    let reads = 0
    for (let running = true; running; reads++) {
      const loaded = await reader.load(everybody.map((who) => `crash 0 ${who}`))
      expect(loaded.size).toBe(everybody.length)
      running = children.some(({ exitCode, signalCode }) => exitCode === null && signalCode === null)
    }
    expect(await ended).toEqual(everybody.map(() => [0, null]))
    expect(reads).toBeGreaterThan(1)
    expect(await reader.checkRebuild()).toEqual([])
    await reader.close()
    const expected = await undisturbed(
      'apart',
      batches,
      everybody.map((who) => ` ${who}`),
    )
    expect(await contents(target('together'))).toEqual(expected)
  }, 120_000)
})

import { afterAll, describe, expect, it } from 'vitest'
import { startEngine } from '../../api/engine.ts'
import { createIntake } from '../../api/intake.ts'
import { loadDetectors } from '../../detectors/detectors.ts'
import type { Store } from '../../features/store/connection.ts'
import { StoreError } from '../../features/store/store-error.ts'
import { createNormaliser } from '../../ingest/normalise.ts'
import { openOrigins } from '../../ingest/origin.ts'
import { type ReadRecord, readRecords } from '../../ingest/reader.ts'
import { loadSources } from '../../ingest/sources.ts'
import { ndjson, silent, trail } from '../support/service.ts'
import { storeFolder } from '../support/store.ts'

/** The real pipeline under the real intake, on a store whose writes wait until the test lets them go. */
const folder = storeFolder()
afterAll(() => folder.remove())

async function setUp() {
  const store = await folder.open()
  const waiting: { go: () => void; fail: () => void }[] = []
  let held = true
  const slow: Store = {
    ...store,
    write: async (...given) => {
      if (held)
        await new Promise<void>((resolve, reject) => {
          waiting.push({
            go: resolve,
            fail: () => reject(new StoreError('store-write-failed', 'broken by the test')),
          })
        })
      await store.write(...given)
    },
  }
  const registry = await loadSources()
  const engine = await startEngine(
    {
      store: slow,
      registry,
      detectors: await loadDetectors(),
      normalise: createNormaliser({ origins: await openOrigins() }),
      alertsPerDay: 1,
    },
    { includePeople: false, publish: async () => {} },
  )
  const metrics = { batch: () => {}, storeError: () => {} }
  const intake = createIntake({ engine, metrics, logger: silent, retryMs: 1 })
  const batch = async (id: string): Promise<readonly ReadRecord[]> => {
    const records: ReadRecord[] = []
    const input = (async function* () {
      yield Buffer.from(ndjson([trail(id)]))
    })()
    for await (const some of readRecords(input, { registry, tenant: '', arrival: Date.now(), origin: id }))
      records.push(...some)
    return records
  }
  const release = (): void => {
    held = false
    for (const one of waiting.splice(0)) one.go()
  }
  return { store, intake, batch, waiting, release }
}

/** Everything that can happen without the store has happened. */
async function quiet(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
}

describe('acknowledged means durable', () => {
  it('answers for no batch while its write is under way, whatever comes after it', async () => {
    const { store, intake, batch, waiting, release } = await setUp()
    const answered: string[] = []
    const all = [1, 2, 3, 4].map(async (n) => {
      const records = await batch(`slow-${n}`)
      await intake.ingest(records)
      answered.push(`slow-${n}`)
    })
    while (waiting.length === 0) await quiet()
    await quiet()
    expect(answered).toEqual([])
    expect((await store.counts()).activity).toBe(0)
    release()
    await Promise.all(all)
    expect((await store.counts()).activity).toBe(4)
    await intake.close()
  })

  it('refuses every batch that the failing write leaves out: nothing acknowledged is lost', async () => {
    const { store, intake, batch, waiting, release } = await setUp()
    const batches = await Promise.all([1, 2, 3].map((n) => batch(`lost-${n}`)))
    const settled = Promise.allSettled(batches.map((records) => intake.ingest(records)))
    while (waiting.length === 0) await quiet()
    waiting.shift()?.fail()
    release()
    const outcomes = await settled
    const acknowledged = outcomes.filter(({ status }) => status === 'fulfilled').length
    expect((await store.counts()).activity).toBe(acknowledged)
    await intake.close()
  })
})

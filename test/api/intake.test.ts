import { describe, expect, it } from 'vitest'
import { createIntake, type Intake, ingestInput } from '../../api/intake.ts'
import { type BatchCounts, newCounts } from '../../api/pipeline.ts'
import { filtered } from '../../ingest/outcome.ts'
import type { ReadRecord } from '../../ingest/reader.ts'
import { silent } from '../support/service.ts'

const records = (count: number, from = 0): ReadRecord[] =>
  Array.from({ length: count }, (_, at) => ({
    source: undefined,
    verdict: filtered('test'),
    time: 0,
    origin: 'test',
    line: from + at + 1,
    offset: 0,
    index: 0,
    letter: undefined,
  }))
const lines = (some: readonly ReadRecord[]): number[] => some.map((r) => r.line)

/** An engine that stores two batches while the next one is taken, as the pipeline does, and fails when told to. */
function fakeEngine() {
  const stored: number[] = []
  const events: string[] = []
  let writing: Promise<void> = Promise.resolve()
  let writingBefore: Promise<void> = Promise.resolve()
  let failing = 0
  let reopened = 0
  const engine = {
    async take(batch: readonly ReadRecord[]): Promise<BatchCounts> {
      const due = writingBefore
      writingBefore = Promise.resolve()
      // A failure makes the engine forget the pipeline it happened in.
      await due.catch((error: unknown) => {
        writing = Promise.resolve()
        throw error
      })
      const fails = failing > 0
      if (fails) failing -= 1
      const before = writing
      writingBefore = before
      writing = (async () => {
        await before
        await new Promise((resolve) => setImmediate(resolve))
        if (fails) throw new Error('the write failed')
        stored.push(...lines(batch))
        events.push(`stored ${batch[0]?.line}`)
      })()
      writing.catch(() => {})
      const counts = newCounts()
      counts.read = batch.length
      counts.filtered.set('test', batch.length)
      return counts
    },
    async durable(): Promise<void> {
      const now = writing
      writing = Promise.resolve()
      writingBefore = Promise.resolve()
      await now
    },
    async reopen(): Promise<void> {
      reopened += 1
    },
  }
  return {
    engine,
    stored,
    events,
    failNext: (count: number) => {
      failing = count
    },
    reopened: () => reopened,
  }
}

function setUp(options: { running?: number; waiting?: number; retryMs?: number } = {}) {
  const fake = fakeEngine()
  const batches: { given: number }[] = []
  let errors = 0
  const intake = createIntake({
    engine: fake.engine,
    metrics: {
      batch: (_counts, about) => batches.push(about),
      storeError: () => {
        errors += 1
      },
    },
    logger: silent,
    ...options,
  })
  return { ...fake, intake, batches, errors: () => errors }
}

async function* arrays(...some: ReadRecord[][]): AsyncGenerator<readonly ReadRecord[]> {
  for (const one of some) yield one
}

describe('ingest', () => {
  it('takes batches in the order they came and answers each after it is stored', async () => {
    const { intake, stored, events } = setUp()
    const answered = [0, 10, 20].map(async (from) => {
      const counts = await intake.ingest(records(2, from))
      events.push(`answered ${from + 1}`)
      return counts.read
    })
    expect(await Promise.all(answered)).toEqual([2, 2, 2])
    expect(stored).toEqual([1, 2, 11, 12, 21, 22])
    for (const line of [1, 11, 21])
      expect(events.indexOf(`stored ${line}`)).toBeLessThan(events.indexOf(`answered ${line}`))
    expect(intake.queuedRecords()).toBe(0)
  })

  it('refuses a batch whose write failed and those taken on top of it, takes the next, and is ready again', async () => {
    const { intake, stored, failNext, errors, batches } = setUp()
    failNext(1)
    const outcomes = await Promise.allSettled([
      intake.ingest(records(1, 0)),
      intake.ingest(records(1, 1)),
      intake.ingest(records(1, 2)),
      intake.ingest(records(1, 3)),
    ])
    expect(outcomes.map((o) => o.status)).toEqual(['rejected', 'rejected', 'rejected', 'fulfilled'])
    expect(stored).toEqual([4])
    expect(batches).toHaveLength(1)
    expect(errors()).toBe(1)
    expect(intake.ready()).toBe(true)
    expect(intake.queuedRecords()).toBe(0)
  })

  it('is not ready after a failure until it has recovered by itself', async () => {
    const { intake, failNext, reopened } = setUp({ retryMs: 1 })
    failNext(1)
    await expect(intake.ingest(records(1))).rejects.toThrow('the write failed')
    expect(intake.ready()).toBe(false)
    await expect.poll(() => intake.ready()).toBe(true)
    expect(reopened()).toBe(1)
    await intake.close()
  })

  it('is not ready while the store keeps a batch waiting, though nothing failed', async () => {
    let answer: (counts: BatchCounts) => void = () => {}
    const intake = createIntake({
      engine: {
        take: () =>
          new Promise((resolve) => {
            answer = resolve
          }),
        durable: async () => {},
        reopen: async () => {},
      },
      metrics: { batch: () => {}, storeError: () => {} },
      logger: silent,
      stallMs: 5,
    })
    const waiting = intake.ingest(records(1))
    expect(intake.ready()).toBe(true)
    await expect.poll(() => intake.ready()).toBe(false)
    answer(newCounts())
    await waiting
    expect(intake.ready()).toBe(true)
  })

  it('finishes what was accepted when it closes, and refuses the rest', async () => {
    const { intake, stored } = setUp()
    const accepted = intake.ingest(records(3))
    const closing = intake.close()
    await expect(intake.ingest(records(1, 9))).rejects.toMatchObject({ code: 'shutting-down' })
    await expect(intake.admit()).rejects.toMatchObject({ code: 'shutting-down' })
    await closing
    expect((await accepted).read).toBe(3)
    expect(stored).toEqual([1, 2, 3])
    expect(intake.ready()).toBe(false)
  })
})

describe('close', () => {
  it('waits for what was handed over in the moment in which nothing was left to do', async () => {
    const { intake, stored } = setUp()
    await intake.ingest(records(1, 0))
    const last = intake.ingest(records(1, 1))
    await intake.close()
    expect(stored).toEqual([1, 2])
    expect((await last).read).toBe(1)
  })
})

describe('admit', () => {
  it('lets in so many, makes so many wait in order, and refuses the rest', async () => {
    const { intake } = setUp({ running: 1, waiting: 1 })
    const leave = await intake.admit()
    const order: string[] = []
    const second = intake.admit().then((leaveSecond) => {
      order.push('second')
      return leaveSecond
    })
    await expect(intake.admit()).rejects.toMatchObject({ code: 'overloaded' })
    order.push('first leaves')
    leave()
    leave()
    const leaveSecond = await second
    expect(order).toEqual(['first leaves', 'second'])
    leaveSecond()
    await intake.admit()
    await expect(Promise.race([intake.admit(), Promise.resolve('waits')])).resolves.toBe('waits')
  })
})

describe('ingestInput', () => {
  it('cuts a long input into batches and adds their counts up', async () => {
    const { intake, batches } = setUp()
    const counts = newCounts()
    await ingestInput(intake, arrays(records(3000), records(3000), records(1)), counts)
    expect(counts.read).toBe(6001)
    expect(counts.filtered).toEqual(new Map([['test', 6001]]))
    expect(batches.map((b) => b.given)).toEqual([6000, 1])
  })

  it('stores what came before the input broke off, then says so', async () => {
    const { intake, stored } = setUp()
    const counts = newCounts()
    async function* breaks(): AsyncGenerator<readonly ReadRecord[]> {
      yield records(2)
      throw new Error('the line is dead')
    }
    await expect(ingestInput(intake, breaks(), counts)).rejects.toThrow('the line is dead')
    expect(stored).toEqual([1, 2])
    expect(counts.read).toBe(2)
  })

  it('stores nothing of an input behind a batch that failed', async () => {
    const { intake, stored, failNext } = setUp()
    failNext(1)
    const input = arrays(records(4096, 0), records(4096, 4096), records(4096, 8192), records(5, 12_288))
    await expect(ingestInput(intake, input, newCounts())).rejects.toThrow('the write failed')
    await intake.close()
    expect(stored).toEqual([])
  })

  it('tells of no batch after one that failed, though it may be stored', async () => {
    const { engine } = fakeEngine()
    const calls: number[] = []
    const intake: Pick<Intake, 'ingest'> = {
      ingest: async (batch) => {
        const first = batch[0]?.line ?? 0
        calls.push(first)
        if (first === 1) throw new Error('the write failed')
        return engine.take(batch)
      },
    }
    const told: number[] = []
    const counts = newCounts()
    const input = arrays(records(4096, 0), records(4096, 4096), records(5, 8192))
    await expect(
      ingestInput(intake, input, counts, async (batch) => {
        told.push(batch[0]?.line ?? 0)
      }),
    ).rejects.toThrow('the write failed')
    expect(calls[0]).toBe(1)
    expect(told).toEqual([])
    expect(counts.read).toBe(0)
  })
})

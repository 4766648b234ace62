import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Lane, type LaneLimits, type LaneRecord, type LaneStream } from '../../api/lane.ts'
import { OUTCOME } from '../../api/pipeline.ts'
import type { CommitOffset, Message } from '../../ingest/broker.ts'

/** A record is `time:name`; `dead` is one that nobody can read. Several in a message are separated by commas. */
interface Item extends LaneRecord {
  readonly name: string
}

function setUp(limits: Partial<LaneLimits> = {}) {
  const committed: { readonly generation: number; readonly offset: CommitOffset }[] = []
  const taken: string[][] = []
  const paused = new Set<number>()
  const flooded: number[] = []
  let current = 1
  let failing = 0
  let hold: Promise<void> = Promise.resolve()
  const lane = new Lane<Item>({
    source: {
      commit: async (generation, offsets) => {
        if (generation !== current) return false
        for (const offset of offsets) committed.push({ generation, offset })
        return true
      },
      pause: (places) => {
        for (const { partition } of places) paused.add(partition)
      },
      resume: (places) => {
        for (const { partition } of places) paused.delete(partition)
      },
    },
    sink: {
      isDead: ({ name }) => name === 'dead',
      take: async (records, outcomes, stream: LaneStream) => {
        refuseBroken(stream)
        await hold
        if (failing > 0) {
          failing -= 1
          stream.broken = { by: new Error('the store is gone') }
          throw stream.broken.by
        }
        refuseBroken(stream)
        taken.push(records.map(({ name }) => name))
        for (const [at, { name }] of records.entries())
          outcomes[at] = name === 'dead' ? OUTCOME.dead : OUTCOME.scored
      },
    },
    read: (message) => read(message),
    clock: { now: () => performance.now(), pause: async () => {} },
    limits: { intervalMs: 0, ...limits },
    events: { failed: () => {}, recovered: () => {}, flooded: (_, offset) => flooded.push(offset) },
  })
  const assign = (generation: number, partitions: readonly number[]): void => {
    current = generation
    lane.assigned({
      generation,
      leader: true,
      partitions: partitions.map((partition) => ({ topic: 't', partition })),
    })
  }
  const deliver = (partition: number, from: number, values: readonly string[], generation = current): void =>
    lane.deliver({
      topic: 't',
      partition,
      generation,
      messages: values.map((value, at) => ({
        offset: from + at,
        timestamp: 0,
        key: null,
        value: Buffer.from(value),
      })),
      nextOffset: from + values.length,
      endOffset: from + values.length,
    })
  const revoke = (): void => {
    current = -1
    lane.revoked()
  }
  return {
    lane,
    revoke,
    taken,
    committed,
    paused,
    flooded,
    assign,
    deliver,
    failNext: (count: number) => {
      failing = count
    },
    holdUntil: (promise: Promise<void>) => {
      hold = promise
    },
    offsets: () => Object.fromEntries(committed.map(({ offset }) => [offset.partition, offset.offset])),
    books: () => [...lane.books()],
  }
}

/** As every sink must: what comes after a failure waits for its turn. */
function refuseBroken({ broken }: LaneStream): void {
  if (broken !== null) throw broken.by
}

function read({ value }: Message): readonly Item[] {
  const text = value?.toString() ?? ''
  if (text === '') return []
  return text.split(',').map((part) => {
    const [time = '', name = ''] = part.split(':')
    return { time: Number(time), name }
  })
}

const lanes: Lane<Item>[] = []
afterEach(async () => {
  await Promise.all(lanes.splice(0).map((lane) => lane.stop()))
})
const started = (limits: Partial<LaneLimits> = {}) => {
  const all = setUp(limits)
  lanes.push(all.lane)
  return all
}

describe('Lane', () => {
  it('merges partitions by event time, keeps the order of each, and commits what is durable', async () => {
    const { assign, deliver, taken, offsets } = started()
    assign(1, [0, 1])
    deliver(0, 10, ['1:a', '4:b', '3:c'])
    deliver(1, 20, ['2:x', '5:y'])
    await vi.waitFor(() => expect(offsets()).toEqual({ 0: 13, 1: 22 }))
    expect(taken.flat()).toEqual(['a', 'x', 'b', 'c', 'y'])
  })

  it('takes several records of a message, and commits messages without any', async () => {
    const { assign, deliver, taken, offsets, books } = started()
    assign(1, [0])
    deliver(0, 0, ['', '1:a,2:b', ''])
    await vi.waitFor(() => expect(offsets()).toEqual({ 0: 3 }))
    expect(taken.flat()).toEqual(['a', 'b'])
    expect(books()[0]).toMatchObject({ fetched: 2, scored: 2, imbalance: 0 })
  })

  it('commits nothing of a message until all of its records are durable', async () => {
    const { assign, deliver, taken, committed, offsets } = started({ batchRecords: 2 })
    assign(1, [0])
    deliver(0, 7, ['1:a,2:b,3:c,4:d,5:e'])
    await vi.waitFor(() => expect(offsets()).toEqual({ 0: 8 }))
    expect(taken).toEqual([['a', 'b'], ['c', 'd'], ['e']])
    expect(committed).toHaveLength(1)
  })

  it('tries again in order what failed, and commits nothing before', async () => {
    const { assign, deliver, failNext, taken, committed, offsets } = started({ batchRecords: 1 })
    failNext(3)
    assign(1, [0])
    deliver(0, 0, ['1:a', '2:b', '3:c'])
    await vi.waitFor(() => expect(offsets()).toEqual({ 0: 3 }))
    expect(taken.flat()).toEqual(['a', 'b', 'c'])
    expect(committed.map(({ offset }) => offset.offset)).toEqual([1, 2, 3])
  })

  it('does not commit what was under way when the group rebalanced, nor take what was queued', async () => {
    let release = (): void => {}
    const { assign, deliver, holdUntil, revoke, taken, committed, books } = started({ batchRecords: 1 })
    holdUntil(
      new Promise((resolve) => {
        release = resolve
      }),
    )
    assign(1, [0])
    deliver(0, 0, ['1:a', '2:b', '3:c,4:d'])
    await vi.waitFor(() => expect(books()[0]?.fetched).toBeGreaterThanOrEqual(2))
    revoke()
    release()
    await vi.waitFor(() => expect(taken.flat()).toEqual(['a', 'b']))
    deliver(0, 2, ['9:late'], 1)
    assign(2, [0])
    await vi.waitFor(() => expect(books()[0]?.scored).toBe(2))
    expect(committed).toEqual([])
    expect(books()[0]?.imbalance).toBe(0)
    deliver(0, 0, ['1:a', '2:b', '3:c,4:d'])
    await vi.waitFor(() => expect(committed.at(-1)?.offset.offset).toBe(3))
    expect(books()[0]?.imbalance).toBe(0)
  })

  it('pauses a partition that has enough, and resumes it', async () => {
    let release = (): void => {}
    const { assign, deliver, holdUntil, paused, offsets } = started({ partitionBytes: 1000, batchRecords: 1 })
    holdUntil(
      new Promise((resolve) => {
        release = resolve
      }),
    )
    assign(1, [0, 1])
    deliver(
      0,
      0,
      Array.from({ length: 20 }, (_, at) => `${at}:r${at}`),
    )
    expect([...paused]).toEqual([0])
    deliver(1, 0, ['1:x'])
    expect(paused.has(1)).toBe(false)
    release()
    await vi.waitFor(() => expect(offsets()).toEqual({ 0: 20, 1: 1 }))
    expect(paused.size).toBe(0)
  })

  it('stops a partition before a flood of what cannot be read, and goes on with the others', async () => {
    const { assign, deliver, flooded, lane, offsets, books } = started({
      poison: { run: 5, share: 1, window: 1e9 },
    })
    assign(1, [0, 1])
    deliver(0, 0, ['1:a', ...Array.from({ length: 10 }, () => '2:dead'), '3:b'])
    deliver(1, 0, ['1:x', '9:y'])
    await vi.waitFor(() => expect(offsets()).toEqual({ 0: 5, 1: 2 }))
    expect(flooded).toEqual([5])
    expect(lane.trouble(1e9)).toContain('t/0 is stopped')
    expect(books().map(({ imbalance }) => imbalance)).toEqual([0, 0])
  })

  it('lets single records that cannot be read pass', async () => {
    const { assign, deliver, lane, offsets } = started()
    assign(1, [0])
    deliver(
      0,
      0,
      Array.from({ length: 3000 }, (_, at) => (at % 3 === 0 ? `${at}:dead` : `${at}:r`)),
    )
    await vi.waitFor(() => expect(offsets()).toEqual({ 0: 3000 }))
    expect(lane.trouble(1e9)).toBeNull()
  })

  it('finishes what is under way when it stops, and leaves the rest', async () => {
    const { assign, deliver, lane, taken, offsets } = started({ batchRecords: 1 })
    assign(1, [0])
    deliver(0, 0, ['1:a', '2:b', '3:c'])
    await vi.waitFor(() => expect(taken.length).toBeGreaterThan(0))
    await lane.stop()
    expect(offsets()).toEqual({ 0: taken.length })
  })

  it('keeps its books balanced and each partition in order, whatever happens', async () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant<'deliver'>('deliver'),
        partition: fc.nat(2),
        count: fc.integer({ min: 1, max: 6 }),
      }),
      fc.record({ kind: fc.constant<'fail'>('fail'), count: fc.integer({ min: 1, max: 3 }) }),
      fc.record({ kind: fc.constant<'rebalance'>('rebalance') }),
      fc.record({ kind: fc.constant<'turn'>('turn') }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const { lane, revoke, assign, deliver, failNext, offsets, books, taken } = setUp({ batchRecords: 3 })
        const written = [0, 0, 0]
        const position = [0, 0, 0]
        let generation = 1
        const send = (partition: number): void => {
          const from = position[partition] ?? 0
          const to = written[partition] ?? 0
          if (to > from)
            deliver(
              partition,
              from,
              Array.from({ length: to - from }, (_, at) => `${from + at}:${partition}-${from + at}`),
            )
          position[partition] = to
        }
        assign(generation, [0, 1, 2])
        for (const some of steps) {
          if (some.kind === 'deliver') {
            written[some.partition] = (written[some.partition] ?? 0) + some.count
            send(some.partition)
          } else if (some.kind === 'fail') failNext(some.count)
          else if (some.kind === 'turn') await new Promise(setImmediate)
          else {
            revoke()
            assign(++generation, [0, 1, 2])
            const stored: Record<number, number> = offsets()
            for (const partition of [0, 1, 2]) {
              position[partition] = stored[partition] ?? 0
              send(partition)
            }
          }
          expect(books().map(({ imbalance }) => imbalance)).toEqual(books().map(() => 0))
        }
        failNext(0)
        const due = Object.fromEntries(
          written.flatMap((count, partition) => (count > 0 ? [[partition, count]] : [])),
        )
        await vi.waitFor(() => expect(offsets()).toEqual(due))
        await lane.stop()
        for (const { imbalance, unaccounted } of books()) expect([imbalance, unaccounted]).toEqual([0, 0])
        for (const partition of [0, 1, 2]) {
          // The first time each record was taken: in the order of the partition, none missing.
          const first = [...new Set(taken.flat().filter((name) => name.startsWith(`${partition}-`)))]
          expect(first).toEqual(
            Array.from({ length: written[partition] ?? 0 }, (_, at) => `${partition}-${at}`),
          )
        }
      }),
      { numRuns: 60 },
    )
  })
})

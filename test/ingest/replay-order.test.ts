import { appendFileSync, mkdirSync, mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type InputFile, listFiles, STDIN } from '../../ingest/files.ts'
import type { IngestError } from '../../ingest/ingest-error.ts'
import type { ReadRecord } from '../../ingest/reader.ts'
import { createReplayTally, type ReplayOptions, replayInOrder } from '../../ingest/replay-order.ts'
import { ARRIVAL, fake, registry, wordOf, words } from './fake-sources.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'plumbline-replay-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const put = (name: string, bytes: string | Buffer): string => {
  const path = join(folder, name)
  writeFileSync(path, bytes)
  return path
}

async function replay(files: readonly InputFile[], options: Partial<ReplayOptions> = {}) {
  const tally = createReplayTally()
  const problems: IngestError[] = []
  const records: ReadRecord[] = []
  const all = {
    registry,
    tenant: '',
    arrival: ARRIVAL,
    onProblem: (p: IngestError) => problems.push(p),
    tally,
  }
  for await (const batch of replayInOrder(files, { ...all, ...options })) {
    for (const record of batch) records.push(record)
  }
  return { records, tally, problems }
}

const replayFolder = async (options: Partial<ReplayOptions> = {}) =>
  replay((await listFiles([folder])).files, options)
const lines = (prefix: string, times: readonly number[]): string =>
  times.map((time) => `${fake(`${prefix}${time}`, time)}\n`).join('')
const times = (records: readonly ReadRecord[]): number[] => records.map(({ time }) => time)
const sorted = (values: readonly number[]): number[] => values.toSorted((a, b) => a - b)
const DAY = 86_400_000

describe('replayInOrder', () => {
  it('merges files by event time', async () => {
    put('a.log', lines('a', [1, 4, 7]))
    put('b.log', lines('b', [2, 5, 8]))
    put('c.log.gz', gzipSync(lines('c', [3, 6, 9])))
    const { records, tally } = await replayFolder()
    expect(words(records)).toEqual(['a1@1', 'b2@2', 'c3@3', 'a4@4', 'b5@5', 'c6@6', 'a7@7', 'b8@8', 'c9@9'])
    expect(tally).toMatchObject({ files: 3, read: 9, accepted: 9, dead: 0, late: 0, lines: 9 })
  })

  it('decides ties by the order of the files, then by position', async () => {
    put('a.log', lines('a', [5, 5]) + lines('A', [9]))
    put('b.log', lines('b', [5, 5]))
    put('c.log', lines('c', [1, 5]))
    const { records } = await replayFolder()
    expect(words(records)).toEqual(['c1@1', 'c5@5', 'a5@5', 'a5@5', 'b5@5', 'b5@5', 'A9@9'])
    const once = await replayFolder()
    expect(once.records).toEqual(records)
  })

  it('puts right what is out of order within the buffer, in files of all forms', async () => {
    const shuffled = (from: number): number[] =>
      Array.from({ length: 3000 }, (_, i) => from + ((i * 1009) % 3000) * 3)
    put('a.log', lines('a', shuffled(0)))
    put('b.json.gz', gzipSync(`{"Records":[${shuffled(1).map((time) => fake('b', time))}]}`))
    put(
      'c.json',
      JSON.stringify(
        shuffled(2).map((t) => ({ fake: 'c', t })),
        null,
        2,
      ),
    )
    const { records, tally } = await replayFolder()
    expect(times(records)).toEqual(Array.from({ length: 9000 }, (_, i) => i))
    expect(tally.late).toBe(0)
  })

  it('is sorted whenever the inputs are within the buffer, and loses nothing otherwise', async () => {
    const file = fc.array(fc.nat({ max: 500 }), { maxLength: 60 })
    await fc.assert(
      fc.asyncProperty(
        fc.array(file, { maxLength: 5 }),
        fc.integer({ min: 0, max: 80 }),
        async (files, window) => {
          const run = mkdtempSync(join(folder, 'run-'))
          files.forEach((given, i) => {
            writeFileSync(join(run, `${i}.log`), lines(`${i}-`, given))
          })
          const { files: found } = await listFiles([run])
          // One window of at least the length of the longest file; the other as it comes, which is the harder case.
          const full = await replay(found, { reorderRecords: 100 })
          expect(times(full.records)).toEqual(sorted(files.flat()))
          expect(full.tally.late).toBe(0)
          const small = await replay(found, { reorderRecords: window, maxOpenFiles: 2, leadMs: window })
          expect(words(small.records).sort()).toEqual(words(full.records).sort())
          let latest = 0
          let late = 0
          for (const time of times(small.records)) {
            if (time < latest) late++
            else latest = time
          }
          expect(small.tally.late).toBe(late)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('opens a file when its time has come, and never more than it may', async () => {
    for (let day = 0; day < 30; day++) {
      const name = `${(day * 7) % 30}.log`
      put(
        name,
        lines(
          '',
          Array.from({ length: 5 }, (_, i) => day * DAY + i),
        ),
      )
    }
    const { files } = await listFiles([folder])
    const seen = new Set<string>()
    let batches = 0
    const tally = createReplayTally()
    const options = { registry, tenant: '', arrival: ARRIVAL, onProblem: () => {}, tally, maxOpenFiles: 3 }
    const all: ReadRecord[] = []
    for await (const batch of replayInOrder(files, options)) {
      batches++
      for (const record of batch) {
        all.push(record)
        seen.add(record.origin)
      }
    }
    expect(batches).toBe(1)
    expect(times(all)).toEqual(sorted(times(all)))
    expect(seen.size).toBe(30)
    expect(tally.late).toBe(0)
  })

  it('counts what comes late because its file had to wait', async () => {
    for (let i = 0; i < 4; i++) put(`${i}.log`, lines(`${i}-`, [i, 100 + i, 200 + i]))
    const { records, tally } = await replayFolder({ maxOpenFiles: 2 })
    expect(records.length).toBe(12)
    expect(tally.late).toBeGreaterThan(0)
    expect((await replayFolder({ maxOpenFiles: 4 })).tally.late).toBe(0)
  })

  it('opens a file before its first record says so, because the first need not be the earliest', async () => {
    put(
      'a.log',
      lines(
        'a',
        Array.from({ length: 300 }, (_, i) => 1_000_000 + i * 1000),
      ),
    )
    // Its first 64 records say 1 290 000; its earliest is 1 100 000.
    put('b.log', lines('b', [...Array.from({ length: 100 }, () => 1_290_000), 1_100_000]))
    const { records, tally } = await replayFolder()
    expect(times(records)).toEqual(sorted(times(records)))
    expect(tally.late).toBe(0)
    expect((await replayFolder({ leadMs: 0, reorderRecords: 0 })).tally.late).toBeGreaterThan(0)
  })

  it('lets dead and filtered records through at their place', async () => {
    put(
      'a.log',
      `${lines('a', [10])}not json\n${lines('a', [30])}{"fake":"s","t":99,"skip":true}\n${lines('a', [40])}`,
    )
    put('b.log', lines('b', [20, 35]))
    const { records, tally } = await replayFolder()
    expect(records.map(wordOf)).toEqual([
      'a10@10',
      'dead:parse/not-json',
      'b20@20',
      'a30@30',
      'filtered:skipped',
      'b35@35',
      'a40@40',
    ])
    expect(tally).toMatchObject({ read: 7, accepted: 5, filtered: 1, dead: 1 })
  })

  it('goes on without a file that cannot be read, and says which', async () => {
    put('a.log', lines('a', [1, 3]))
    put('binary.log', Buffer.from('\x7fELF\0\0\0\0'))
    put('gone.log', lines('g', [2]))
    const zipped = gzipSync(lines('z', [2, 4]))
    put('z.log', zipped.subarray(0, zipped.length - 3))
    mkdirSync(join(folder, 'sub'))
    const { files } = await listFiles([folder])
    unlinkSync(join(folder, 'gone.log'))
    const { records, problems, tally } = await replay([...files, { path: folder, kind: 'file', size: 1 }])
    expect(words(records)).toEqual(['a1@1', 'z2@2', 'a3@3', 'z4@4', 'dead:read/truncated-gzip'])
    expect(problems.map(({ code, path }) => [code, path.slice(folder.length)])).toEqual([
      ['not-found', '/gone.log'],
      ['not-a-file', ''],
      ['binary-input', '/binary.log'],
    ])
    expect(tally).toMatchObject({ read: 5, accepted: 4, dead: 1 })
  })

  it('reads standard input beside files', async () => {
    put('a.log', lines('a', [1, 3]))
    const { files } = await listFiles([folder, STDIN])
    const { records } = await replay(files, { stdin: Readable.from([Buffer.from(lines('i', [2, 4]))]) })
    expect(words(records)).toEqual(['a1@1', 'i2@2', 'a3@3', 'i4@4'])
  })

  it('names the tenant of each file', async () => {
    put('a.log', lines('a', [1]))
    const asked: string[] = []
    await replayFolder({
      tenantOf: ({ path }) => {
        asked.push(path.slice(folder.length))
        return 'x'
      },
    })
    expect(asked).toEqual(['/a.log'])
  })

  it('tells where to read on in a file that grows meanwhile', async () => {
    const path = put('a.log', `${lines('a', [1])}{"fake"`)
    const { files } = await listFiles([folder])
    let asked = 0
    const recognise: typeof registry.recognise = (record) => {
      // First the peek, then the reading: it grows while it is read.
      if (++asked === 2) appendFileSync(path, ':"b","t":2}\n')
      return registry.recognise(record)
    }
    const { tally, records } = await replay(files, { registry: { ...registry, recognise } })
    expect(words(records)).toEqual(['a1@1'])
    expect(tally.unread).toEqual([{ path, offset: 20, bytes: 7 }])
  })

  it('closes its files when it is abandoned', async () => {
    for (let i = 0; i < 3; i++)
      put(
        `${i}.log`,
        lines(
          `${i}-`,
          Array.from({ length: 9000 }, (_, at) => at),
        ),
      )
    const { files } = await listFiles([folder])
    const tally = createReplayTally()
    const options = { registry, tenant: '', arrival: ARRIVAL, onProblem: () => {}, tally }
    let got = 0
    for await (const batch of replayInOrder(files, options)) {
      got += batch.length
      break
    }
    expect(got).toBeGreaterThan(0)
    expect(got).toBeLessThan(27_000)
    expect(tally.files).toBe(3)
  })
})

import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createInterpreter, type ReadRecord, readRecords } from '../../ingest/reader.ts'
import type { JsonObject, Source } from '../../ingest/source.ts'
import {
  ARRIVAL,
  baseOptions,
  bytesOfLetter,
  chunksOf,
  fake,
  fakeJson,
  fakeText,
  interpret,
  readAll,
  registry,
  words,
} from './fake-sources.ts'

const hashOf = (record: ReadRecord | undefined): string =>
  record?.verdict.outcome === 'accepted' ? (record.verdict.value.details?.hash ?? '') : '(not accepted)'

describe('readRecords', () => {
  it('reads JSON and text of one input, each record with verdict, source and position', async () => {
    const { records, tally } = await readAll(
      `${fake('a', 5)}\n\nFAKE 6 b\n{"fake":"c","t":7,"skip":true}\n{"x":1}\n`,
    )
    expect(records.map(({ source, verdict, ...rest }) => [source?.id, verdict.outcome, rest])).toEqual([
      ['fake-json', 'accepted', { time: 5, origin: 'test', line: 1, offset: 0, index: 0, letter: undefined }],
      [
        'fake-text',
        'accepted',
        { time: 6, origin: 'test', line: 3, offset: 20, index: 0, letter: undefined },
      ],
      [
        'fake-json',
        'filtered',
        { time: 6, origin: 'test', line: 4, offset: 29, index: 0, letter: undefined },
      ],
      [
        undefined,
        'dead',
        {
          time: 6,
          origin: 'test',
          line: 5,
          offset: 60,
          index: 0,
          letter: {
            verdict: {
              outcome: 'dead',
              stage: 'recognise',
              reason: 'unrecognised',
              detail: 'no source knows an object of x',
            },
            position: { origin: 'test', line: 5, offset: 60, index: 0 },
            source: '',
            bytes: Buffer.from('{"x":1}'),
          },
        },
      ],
    ])
    expect(tally).toEqual({
      bytes: 68,
      lines: 5,
      unread: undefined,
      read: 4,
      accepted: 2,
      filtered: 1,
      dead: 1,
    })
  })

  it('reads gzip by its bytes, with records before a cut delivered', async () => {
    const text = Array.from({ length: 5000 }, (_, i) => fake(`n${(i * 7919) % 5003}`, i)).join('\n')
    const zipped = gzipSync(text)
    expect((await readAll(zipped)).tally).toMatchObject({ read: 5000, accepted: 5000, bytes: text.length })
    const { records, tally } = await readAll(chunksOf(zipped.subarray(0, zipped.length / 2), 1000))
    const last = records.at(-1)
    expect(tally.accepted).toBeGreaterThan(2000)
    expect(tally).toMatchObject({ read: tally.accepted + 1, dead: 1 })
    expect(last?.verdict).toMatchObject({ stage: 'read', reason: 'truncated-gzip' })
    expect(last?.line).toBe(tally.accepted + 1)
    expect(text.startsWith(bytesOfLetter(last), last?.offset)).toBe(true)
    const garbage = await readAll(Buffer.concat([gzipSync(fake('a')), Buffer.from('xyz')]))
    expect(words(garbage.records)).toEqual(['a@1', 'dead:read/trailing-garbage'])
  })

  it('yields at most 4096 records at a time', async () => {
    const many = `[${Array.from({ length: 10_000 }, (_, i) => fake('a', i)).join(',')}]`
    const lengths: number[] = []
    for await (const batch of readRecords(chunksOf(Buffer.from(many)), baseOptions))
      lengths.push(batch.length)
    expect(lengths).toEqual([4096, 4096, 1808])
  })

  it('asks only the source that is forced', async () => {
    const both = `${fake('a')}\nFAKE 2 b\n{"t":3}\n`
    expect(words((await readAll(both, { source: fakeJson })).records)).toEqual([
      'a@1',
      'dead:parse/not-json',
      'dead:parse/wrong-type',
    ])
    expect(words((await readAll(both, { source: fakeText })).records)).toEqual([
      'dead:recognise/unrecognised',
      'b@2',
      'dead:recognise/unrecognised',
    ])
  })

  it('asks the source of the record before first', async () => {
    let asked = 0
    const counting = {
      ...registry,
      recognise: (record: Parameters<typeof registry.recognise>[0]) => {
        asked++
        return registry.recognise(record)
      },
    }
    await readAll(`${fake('a')}\n`.repeat(50), { registry: counting })
    expect(asked).toBe(1)
  })

  it('lets a text source read lines that happen to be JSON, when nobody else knows them', async () => {
    const journald: Source = {
      ...fakeText,
      parseLine: (line) => (line.includes('__CURSOR') ? { id: 'j', t: 4 } : null),
    }
    const { records } = await readAll('{"__CURSOR":"x","MESSAGE":"m"}\n', {
      registry: {
        recognise: () => undefined,
        recogniseLine: (line) => {
          const record = journald.parseLine?.(line)
          return record === null || record === undefined ? undefined : { source: journald, record }
        },
      },
    })
    expect(words(records)).toEqual(['j@4'])
  })

  it('keeps a record of the far future from dragging later ones along', async () => {
    const far = Date.UTC(9999, 0, 1)
    const { records } = await readAll(`${fake('a', 5)}\n${fake('b', far)}\n{"x":1}\n`)
    expect(records.map(({ time }) => time)).toEqual([5, 5, 5])
    expect(records[1]?.letter?.verdict.reason).toBe('time-in-future')
    expect(ARRIVAL).toBeLessThan(far)
  })

  it('survives a source that throws, and a time that is no number', () => {
    const throwing: Source = {
      ...fakeJson,
      read: () => {
        throw new RangeError('a secret')
      },
    }
    const timeless: Source = { ...fakeJson, read: (record, context) => timed(fakeJson.read(record, context)) }
    const timed = (verdict: ReturnType<Source['read']>): ReturnType<Source['read']> =>
      verdict.outcome === 'accepted' ? { ...verdict, value: { ...verdict.value, time: Number.NaN } } : verdict
    const guard: Source = {
      ...fakeJson,
      recognises: () => {
        throw new TypeError('guard')
      },
    }
    const outcomes: string[] = []
    for (const source of [throwing, timeless, guard]) {
      const records: ReadRecord[] = []
      const bytes = Buffer.from(fake('a'))
      const line = { bytes, start: 0, end: bytes.length, line: 1, offset: 0, fault: undefined }
      const only = { recognise: (record: JsonObject) => (source.recognises(record) ? source : undefined) }
      createInterpreter({ ...baseOptions, registry: { ...registry, ...only } }).interpretLine(line, records)
      outcomes.push(...words(records))
    }
    expect(outcomes).toEqual([
      'dead:normalise/source-fault',
      'dead:normalise/bad-time',
      'dead:recognise/unrecognised',
    ])
  })
})

describe('recordHash', () => {
  it('is one for a record, however it is dressed', () => {
    const record = '{"fake":"a","t":1,"hash":true}'
    const expected = createHash('sha256').update(record).digest('hex').slice(0, 32)
    const dresses = [
      record,
      `  ${record.replaceAll(':', ' : ')}`,
      `[${record}]`,
      JSON.stringify({ message: record }),
      JSON.stringify({ logEvents: [{ message: `${record}\n` }] }),
    ]
    for (const dress of dresses) expect(hashOf(interpret(dress)[0])).toBe(expected)
  })

  it('is one for a text line, and differs between lines', () => {
    const text = createHash('sha256').update('FAKE 1 a').digest('hex').slice(0, 32)
    expect(hashOf(interpret('FAKE 1 a')[0])).toBe(text)
    expect(hashOf(interpret('{"log":"FAKE 1 a\\n"}')[0])).toBe(text)
    expect(hashOf(interpret('FAKE 1 b')[0])).not.toBe(text)
  })
})

describe('conservation', () => {
  const line = fc.oneof(
    fc.constantFrom(
      fake('a'),
      'FAKE 1 x',
      '{"fake":"s","t":1,"skip":true}',
      '{"fake":"d","t":"x"}',
      '[]',
      '',
      'csv,1',
    ),
    fc.json({ maxDepth: 3 }),
    fc.string({ unit: 'binary', maxLength: 30 }),
    fc
      .array(fc.constantFrom(fake('a'), 'null', '1', '{}', '[{}]'), { maxLength: 4 })
      .map((parts) => `[${parts}]`),
  )

  it('read = accepted + filtered + dead, and any chunks give the same records', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { maxLength: 12 }),
        fc.integer({ min: 1, max: 64 }),
        async (lines, size) => {
          const bytes = Buffer.from(`x\n${lines.join('\n')}`)
          const once = await readAll(bytes)
          const cut = await readAll(chunksOf(bytes, size))
          expect(cut).toEqual(once)
          const { read, accepted, filtered, dead } = once.tally
          expect(once.records.length).toBe(read)
          expect(accepted + filtered + dead).toBe(read)
          const letters = once.records.filter(({ letter }) => letter !== undefined)
          expect(letters.length).toBe(dead)
        },
      ),
      { numRuns: 500 },
    )
  })
})

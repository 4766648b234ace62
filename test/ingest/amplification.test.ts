import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { parseJson } from '../../ingest/container.ts'
import { MAX_ELEMENTS } from '../../ingest/elements.ts'
import { createMessageReader } from '../../ingest/message-reader.ts'
import { readRecords } from '../../ingest/reader.ts'
import { ARRIVAL, baseOptions, chunksOf, fake, interpret, readAll, registry, words } from './fake-sources.ts'

/** Few bytes that would become so many records that the heap is full: each case killed a process with a heap of 1 GB. */

const TOO_MANY = 'dead:container/too-many-elements'
const zeros = (count: number): string => `[${'0,'.repeat(count - 1)}0]`

describe('few bytes, many records', () => {
  it('takes lists as long as real files have, and refuses longer ones as a whole', () => {
    expect(interpret(zeros(MAX_ELEMENTS))).toHaveLength(MAX_ELEMENTS)
    const line = zeros(MAX_ELEMENTS + 1)
    const records = interpret(line)
    expect(words(records)).toEqual([TOO_MANY])
    expect(records[0]?.letter?.bytes.toString()).toBe(line)
  })

  it('counts the elements of all lists of a line together', () => {
    const part = zeros(MAX_ELEMENTS / 2)
    const records = interpret(`[${part},${part},${fake('ok')}]`)
    expect(records).toHaveLength(MAX_ELEMENTS / 2 + 2)
    expect(words(records.slice(-2))).toEqual([TOO_MANY, 'ok@1'])
  })

  it('refuses seven kilobytes of base64 of gzip of millions of elements', () => {
    const data = gzipSync(zeros(2_500_000)).toString('base64')
    expect(data.length).toBeLessThan(7000)
    expect(words(interpret(JSON.stringify({ data })))).toEqual([TOO_MANY])
    expect(words(interpret(JSON.stringify({ log: zeros(2_500_000) })))).toEqual([TOO_MANY])
  })

  it('does not parse what is nothing but values', () => {
    expect(parseJson(`[${'[],'.repeat(2_000_000)}[]]`)).toBeUndefined()
    const managed = {
      'f:metadata': { 'f:labels': { '.': {}, 'f:app': {} }, 'f:ownerReferences': { '.': {} } },
    }
    const dense = Array.from({ length: 20_000 }, () => managed)
    expect(parseJson(JSON.stringify(dense))).toEqual(dense)
  })

  it('hands on records before it has read all documents of a line', async () => {
    let seen = 0
    const counting = {
      ...registry,
      recognise: (record: Parameters<typeof registry.recognise>[0]) => {
        seen++
        return registry.recognise(record)
      },
    }
    const input = chunksOf(Buffer.from(`${fake('a').repeat(50_000)}\n`))
    let given = 0
    for await (const some of readRecords(input, { ...baseOptions, registry: counting })) {
      given += some.length
      expect(seen - given).toBeLessThan(4096)
    }
    expect(given).toBe(50_000)
  })

  it('saves so many elements of a list that is cut, and keeps the rest', async () => {
    const { records } = await readAll(zeros(MAX_ELEMENTS + 1000).slice(0, -1))
    expect(records).toHaveLength(MAX_ELEMENTS + 1)
    expect(words(records.slice(-1))).toEqual(['dead:read/truncated-document'])
    expect(records.at(-1)?.letter?.bytes.length).toBeGreaterThan(1000)
  })

  it('ends a message of a topic that holds too many', () => {
    const read = createMessageReader({ registry, tenant: '', now: () => ARRIVAL })
    const value = gzipSync('{}\n'.repeat(MAX_ELEMENTS + 1000))
    expect(value.length).toBeLessThan(10_000)
    const message = { offset: 1, timestamp: ARRIVAL, key: null, value }
    const records = read(message, { topic: 'raw', partition: 0 })
    expect(records).toHaveLength(MAX_ELEMENTS + 2)
    expect(words(records.slice(-1))).toEqual([TOO_MANY])
  })
})

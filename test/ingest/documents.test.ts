import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bytesOfLetter, chunksOf, fake, readAll, words } from './fake-sources.ts'

const a = JSON.parse(fake('a', 1))
const b = JSON.parse(fake('b', 2))
const pretty = (value: unknown): string => JSON.stringify(value, null, 2)
const read = async (text: string, chunk = 1 << 20): Promise<string[]> =>
  words((await readAll(chunksOf(Buffer.from(text), chunk))).records)

describe('documents over many lines', () => {
  const documents: readonly [string, string][] = [
    ['a pretty array', pretty([a, b])],
    ['a pretty array with CRLF', pretty([a, b]).replaceAll('\n', '\r\n')],
    ['a pretty CloudTrail file', `\n\n${pretty({ Records: [a, b] })}\n\n`],
    ['one element a line', `[\n${fake('a')},\n${fake('b', 2)}\n]\n`],
    ['several pretty objects', `${pretty(a)}\n${pretty(b)}`],
    ['several pretty objects with blank lines', `${pretty(a)}\n\n\n${pretty(b)}\n`],
    ['objects without a line break between them', `${fake('a')}${fake('b', 2)}`],
    ['pretty objects without a line break between them', `${pretty(a)}${pretty(b)}`],
    ['a pretty object, then lines', `${pretty(a)}\n${fake('b', 2)}\n`],
    ['a single line', `${JSON.stringify([a, b])}`],
    ['a byte order mark', `\ufeff${pretty([a, b])}`],
  ]
  it.each(documents)('reads %s', async (_name, text) => {
    for (const chunk of [1, 3, 50, 1 << 20]) expect(await read(text, chunk)).toEqual(['a@1', 'b@2'])
  })

  it('knows where a document started, and keeps the exact bytes of what is dead in it', async () => {
    const dead = '{\r\n  "what": 1.0\r\n }'
    const { records } = await readAll(`${pretty(a)}\n\n[${fake('b')},\r\n ${dead}\n]`)
    expect(records.map(({ line, offset, index }) => ({ line, offset, index }))).toEqual([
      { line: 1, offset: 0, index: 0 },
      { line: 6, offset: pretty(a).length + 2, index: 0 },
      { line: 6, offset: pretty(a).length + 2, index: 1 },
    ])
    expect(bytesOfLetter(records[2])).toBe(dead)
  })

  it('takes a torn first line for what it is, and not for a document', async () => {
    const good = `${fake('a')}\n${fake('b', 2)}\n${fake('c', 3)}\n`
    for (const torn of ['{"fake":"x","t":[', '{"fake":"x', '{"fake":"x",', '{"fake":"x","t":', '[', '{']) {
      for (const chunk of [1, 20, 1 << 20]) {
        expect(await read(`${torn}\n${good}`, chunk)).toEqual(['dead:parse/not-json', 'a@1', 'b@2', 'c@3'])
      }
    }
  })

  it('keeps a line whole that only begins like a document', async () => {
    const { records } = await readAll(`[info] hello\n{} x\n${fake('a')}\n`)
    expect(words(records)).toEqual(['dead:parse/not-json', 'dead:parse/not-json', 'a@1'])
    expect(records.map(bytesOfLetter)).toEqual(['[info] hello', '{} x', '(no letter)'])
  })

  it('goes back to lines after documents', async () => {
    const text = `${pretty(a)}\nFAKE 2 b\n{"torn":\n${fake('c', 3)}\n`
    expect(await read(text)).toEqual(['a@1', 'b@2', 'dead:parse/not-json', 'c@3'])
    expect(await read(`${pretty(a)}, FAKE\n${fake('c', 3)}\n`)).toEqual(['a@1', 'dead:parse/not-json', 'c@3'])
  })

  it('saves the whole elements of a document that is cut', async () => {
    for (const [list, left] of [
      [pretty([a, b, a]), '"t": 1'],
      [pretty({ x: [1], Records: [a, b, a] }), '"t": 1'],
    ] as const) {
      const text = list.slice(0, list.lastIndexOf('"t"') + left.length)
      const { records, tally } = await readAll(text)
      expect(words(records)).toEqual(['a@1', 'b@2', 'dead:read/truncated-document'])
      expect(bytesOfLetter(records[2])).toMatch(/^,\s*\{\s*"fake": "a",\s*"t": 1$/)
      expect(tally).toMatchObject({ read: 3, accepted: 2, dead: 1 })
    }
  })

  it('saves the whole elements of a document in a gzip that is cut', async () => {
    const many = Array.from({ length: 3000 }, (_, i) => ({ fake: `n${(i * 7919) % 3000}`, t: i }))
    for (const text of [JSON.stringify({ Records: many }), pretty(many), pretty({ Records: many })]) {
      const zipped = gzipSync(text)
      const { records, tally } = await readAll(zipped.subarray(0, zipped.length / 2))
      const last = records.at(-1)
      expect(last?.verdict).toMatchObject({ outcome: 'dead', stage: 'read', reason: 'truncated-gzip' })
      expect(tally.accepted).toBeGreaterThan(1000)
      expect(tally.dead).toBe(1)
      expect(words(records.slice(0, 3))).toEqual(['n0@0', 'n1919@1', 'n838@2'])
    }
  })

  it('reads the documents of a cut gzip, whole and cut', async () => {
    const zipped = gzipSync(`${pretty(a)}\n${pretty(b)}`)
    expect(words((await readAll(zipped.subarray(0, zipped.length - 4))).records)).toEqual([
      'a@1',
      'b@2',
      'dead:read/truncated-gzip',
    ])
  })

  it('drops a document that is too large, says how large it was, and goes on after it', async () => {
    const large = pretty(Array.from({ length: 20_000 }, () => a))
    const tail = `\n${pretty(b)}\n`
    for (const chunk of [5000, 1 << 22]) {
      const { records } = await readAll(chunksOf(Buffer.from(`${large}${tail}`), chunk), {
        maxDocumentBytes: 100_000,
      })
      expect(words(records)).toEqual(['dead:container/document-too-large', 'b@2'])
      expect(records[0]?.verdict).toMatchObject({ detail: `${large.length} bytes, the limit is 100000` })
      expect(bytesOfLetter(records[0])).toBe(large.slice(0, 64 * 1024))
    }
    const open = await readAll(large.slice(0, -1), { maxDocumentBytes: 100_000 })
    expect(words(open.records)).toEqual(['dead:container/document-too-large'])
  })

  it('gives up a document with a hole in it', async () => {
    const text = `[\n${fake('a')},\n"${'x'.repeat(200_000)}",\n${fake('b', 2)}\n]\n`
    for (const chunk of [1000, 1 << 20]) {
      const { records } = await readAll(chunksOf(Buffer.from(text), chunk), { maxLineBytes: 100_000 })
      expect(words(records)).toEqual([
        'dead:parse/not-json',
        'dead:parse/not-json',
        'dead:read/line-too-long',
        'b@2',
        'dead:parse/not-json',
      ])
    }
  })

  it('leaves a document that is still being written for the next reading', async () => {
    const whole = `${pretty(a)}\n`
    for (const half of ['{\n "fake": "b",\n', '{\n "fake": "b",\n "t"']) {
      const { records, tally } = await readAll(whole + half, { growing: () => true })
      expect(words(records)).toEqual(['a@1'])
      expect(tally.unread).toEqual({ offset: whole.length, bytes: half.length })
      expect(tally.bytes).toBe(whole.length)
    }
  })

  it('gives the same records however the bytes are cut into chunks', async () => {
    const part = fc.constantFrom(
      fake('a'),
      pretty(b),
      pretty([a, b]),
      pretty({ Records: [a, { x: 1 }] }),
      '{"torn":',
      '[',
      ']',
      '}',
      ',',
      '\n',
      '\n',
      '\r\n',
      'FAKE 7 c',
      '"',
      'x'.repeat(90),
    )
    const input = fc.array(part, { maxLength: 12 })
    const limits = { maxLineBytes: 80, maxDocumentBytes: 150 }
    await fc.assert(
      fc.asyncProperty(input, fc.integer({ min: 1, max: 40 }), async (parts, size) => {
        const bytes = Buffer.from(parts.join(''))
        const once = await readAll(bytes, limits)
        const cut = await readAll(chunksOf(bytes, size), limits)
        expect(cut.records).toEqual(once.records)
        expect(cut.tally).toEqual(once.tally)
      }),
      { numRuns: 1000 },
    )
  })
})

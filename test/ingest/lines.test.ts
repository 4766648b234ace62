import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { IngestError } from '../../ingest/ingest-error.ts'
import { createLineTally, type Line, type LineOptions, readLines, splitLines } from '../../ingest/lines.ts'
import { chunksOf } from './fake-sources.ts'

interface Seen {
  text: string
  line: number
  offset: number
  fault: string
}

const seen = ({ bytes, start, end, line, offset, fault }: Line): Seen => ({
  text: bytes.toString('latin1', start, end),
  line,
  offset,
  fault: fault === undefined ? '' : `${fault.stage}/${fault.reason}: ${fault.detail}`,
})

async function lines(input: AsyncIterable<Buffer> | string, options: LineOptions = {}): Promise<Seen[]> {
  const all: Seen[] = []
  const stream = typeof input === 'string' ? chunksOf(Buffer.from(input, 'latin1')) : input
  for await (const batch of readLines(stream, options)) all.push(...batch.lines.map(seen))
  return all
}

const texts = (all: readonly Seen[]): string[] => all.map(({ text }) => text)

describe('readLines', () => {
  it('tolerates CRLF, blank lines and a missing final line break, and knows where each line stood', async () => {
    const tally = createLineTally()
    expect(await lines('a\r\n\n  \t\nbb\nc', { tally })).toEqual([
      { text: 'a', line: 1, offset: 0, fault: '' },
      { text: 'bb', line: 4, offset: 8, fault: '' },
      { text: 'c', line: 5, offset: 11, fault: '' },
    ])
    expect(tally).toEqual({ bytes: 12, lines: 5, unread: undefined })
  })

  it('strips a byte order mark at the start, and only there', async () => {
    expect(await lines('\xef\xbb\xbfa\n\xef\xbb\xbfb')).toMatchObject([
      { text: 'a', offset: 3 },
      { text: '\xef\xbb\xbfb', offset: 5 },
    ])
  })

  it('gives nothing for nothing', async () => {
    expect(await lines('')).toEqual([])
    expect(await lines('\n\n')).toEqual([])
    expect(await lines('\xef\xbb\xbf')).toEqual([])
  })

  it('keeps the head of a line that is too long, says how long it was, and goes on after it', async () => {
    const long = 'x'.repeat(200_000)
    const all = await lines(chunksOf(Buffer.from(`a\n${long}\r\nb`), 1000), { maxLineBytes: 100_000 })
    expect(all.map(({ line, offset, fault }) => ({ line, offset, fault }))).toEqual([
      { line: 1, offset: 0, fault: '' },
      { line: 2, offset: 2, fault: 'read/line-too-long: 200000 bytes, the limit is 100000' },
      { line: 3, offset: 200_004, fault: '' },
    ])
    expect(all[1]?.text).toBe('x'.repeat(64 * 1024))
    expect(all[2]?.text).toBe('b')
  })

  it('allows a line of exactly the limit', async () => {
    expect(await lines('xxxxx\nyyyyyy\n', { maxLineBytes: 5 })).toMatchObject([
      { text: 'xxxxx', fault: '' },
      { text: 'yyyyyy', fault: 'read/line-too-long: 6 bytes, the limit is 5' },
    ])
  })

  it('gives the same lines however the bytes are cut into chunks', async () => {
    const input = fc.array(
      fc.constantFrom('a', 'bcd', '\n', '\r\n', '\r', ' ', 'xxxxxxxxxxxx', '\xef\xbb\xbf'),
      {
        maxLength: 40,
      },
    )
    await fc.assert(
      fc.asyncProperty(input, fc.integer({ min: 1, max: 9 }), async (parts, size) => {
        const bytes = Buffer.from(parts.join(''), 'latin1')
        const whole = createLineTally()
        const cut = createLineTally()
        const expected = await lines(chunksOf(bytes), { maxLineBytes: 8, tally: whole })
        expect(await lines(chunksOf(bytes, size), { maxLineBytes: 8, tally: cut })).toEqual(expected)
        expect(cut).toEqual(whole)
        expect(whole.bytes).toBe(bytes.length)
      }),
      { numRuns: 500 },
    )
  })

  it('batches cover the input without gaps, whatever the size of a chunk', async () => {
    const bytes = Buffer.from('0123456789\n'.repeat(100_000))
    let at = 0
    let batches = 0
    for await (const batch of readLines(chunksOf(bytes))) {
      expect(batch.offset).toBe(at)
      at += batch.end - batch.start
      batches++
      expect(batch.end - batch.start).toBeLessThan(300_000)
    }
    expect(at).toBe(bytes.length)
    expect(batches).toBeGreaterThan(3)
  })

  it('refuses binary and UTF-16 with a code', async () => {
    const binary = lines(chunksOf(Buffer.from('PNG\0\0\0'), 2))
    await expect(binary).rejects.toMatchObject({ name: 'IngestError', code: 'binary-input' })
    const utf16 = lines(chunksOf(Buffer.from('\ufeff{"a":1}\n', 'utf16le'), 1))
    await expect(utf16).rejects.toMatchObject({ code: 'utf-16-input' })
    expect(texts(await lines('a\0b\n'))).toEqual(['a\0b'])
  })

  it('stops at the limit of the input with a code', async () => {
    const got: string[] = []
    const read = async (): Promise<void> => {
      const options = { maxInputBytes: 5 }
      for await (const batch of readLines(chunksOf(Buffer.from('a\nb\nc\nd\n'), 2), options)) {
        got.push(...batch.lines.map((line) => seen(line).text))
      }
    }
    await expect(read()).rejects.toMatchObject({ code: 'input-too-large' })
    expect(got).toEqual(['a', 'b'])
  })

  it('leaves the half line of a growing input for the next reading', async () => {
    const tally = createLineTally()
    expect(texts(await lines('a\nhal', { growing: () => true, tally }))).toEqual(['a'])
    expect(tally).toEqual({ bytes: 2, lines: 1, unread: { offset: 2, bytes: 3 } })
    expect(texts(await lines('a\nhal', { growing: async () => false }))).toEqual(['a', 'hal'])
    let asked = 0
    await lines('a\nb\n', { growing: () => ++asked > 0 })
    expect(asked).toBe(0)
  })

  it('gives the complete lines before it passes on an error', async () => {
    async function* broken(): AsyncGenerator<Buffer> {
      yield Buffer.from('a\nb\nc')
      throw new IngestError('read-failed', 'gone')
    }
    const got: string[] = []
    await expect(async () => {
      for await (const batch of readLines(broken())) got.push(...batch.lines.map((line) => seen(line).text))
    }).rejects.toMatchObject({ code: 'read-failed' })
    expect(got).toEqual(['a', 'b'])
  })

  it('is linear in a long line that comes in small chunks', async () => {
    const bytes = Buffer.alloc(20_000_000, 97)
    const started = performance.now()
    const [only] = await lines(chunksOf(bytes, 1024))
    expect(only?.text.length).toBe(bytes.length)
    // Joining at every chunk would copy 200 GB.
    expect(performance.now() - started).toBeLessThan(20_000)
  })
})

describe('splitLines', () => {
  it('counts on from where the bytes stood', () => {
    const all = [...splitLines(Buffer.from('a\n\nb'), { offset: 100, line: 7, maxLineBytes: 10 })]
    expect(all.flatMap(({ lines: given }) => given.map(seen))).toEqual([
      { text: 'a', line: 7, offset: 100, fault: '' },
      { text: 'b', line: 9, offset: 103, fault: '' },
    ])
  })
})

describe('a line that comes byte by byte', () => {
  it('is held in few pieces: an object for every byte would be a hundred times its size', async () => {
    const concat = vi.spyOn(Buffer, 'concat')
    async function* bytes(): AsyncGenerator<Buffer> {
      for (let at = 0; at < 100_000; at++) yield Buffer.from([97 + (at % 26)])
      yield Buffer.alloc(70_000, 65)
      for (let at = 0; at < 10_000; at++) yield Buffer.from([97 + (at % 26)])
    }
    let line = ''
    for await (const { bytes: slab, lines } of readLines(bytes()))
      for (const { start, end } of lines) line += slab.toString('utf8', start, end)
    const most = Math.max(...concat.mock.calls.map(([list]) => list.length))
    concat.mockRestore()
    const letters = (count: number): string =>
      Array.from({ length: count }, (_, at) => String.fromCharCode(97 + (at % 26))).join('')
    expect(line).toBe(`${letters(100_000)}${'A'.repeat(70_000)}${letters(10_000)}`)
    expect(most).toBeLessThan(100)
  })
})

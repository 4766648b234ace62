import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { uncompressed } from '../../ingest/gzip.ts'
import { IngestError } from '../../ingest/ingest-error.ts'
import { chunksOf } from './fake-sources.ts'

async function plain(bytes: Buffer, size = bytes.length): Promise<{ text: string; code: string }> {
  const parts: Buffer[] = []
  try {
    for await (const part of uncompressed(chunksOf(bytes, Math.max(1, size)))) parts.push(part)
  } catch (error) {
    if (!(error instanceof IngestError)) throw error
    return { text: Buffer.concat(parts).toString(), code: error.code }
  }
  return { text: Buffer.concat(parts).toString(), code: '' }
}

const text = Array.from({ length: 5000 }, (_, i) => `line ${i} ${(i * 7919) % 10_007}`).join('\n')
const zipped = gzipSync(text)

describe('uncompressed', () => {
  it('passes on what is not gzip', async () => {
    expect(await plain(Buffer.from('plain'), 1)).toEqual({ text: 'plain', code: '' })
    expect(await plain(Buffer.alloc(0))).toEqual({ text: '', code: '' })
    expect(await plain(Buffer.from([0x1f]))).toEqual({ text: '\x1f', code: '' })
  })

  it('inflates gzip in any chunks', async () => {
    for (const size of [1, 7, 1000, zipped.length])
      expect(await plain(zipped, size)).toEqual({ text, code: '' })
  })

  it('inflates any bytes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 2000 }),
        fc.integer({ min: 1, max: 50 }),
        async (bytes, size) => {
          const parts: Buffer[] = []
          for await (const part of uncompressed(chunksOf(gzipSync(bytes), size))) parts.push(part)
          expect(Buffer.concat(parts).equals(Buffer.from(bytes))).toBe(true)
        },
      ),
      { numRuns: 100 },
    )
  })

  it('reads several members and zero padding', async () => {
    const padded = Buffer.concat([
      gzipSync('one '),
      gzipSync('two '),
      Buffer.alloc(600),
      gzipSync('three'),
      Buffer.alloc(5),
    ])
    for (const size of [1, 64, padded.length]) {
      expect(await plain(padded, size)).toEqual({ text: 'one two three', code: '' })
    }
  })

  it('reads a header with name, comment, extra field and checksum', async () => {
    const body = gzipSync('hello')
    const header = Buffer.from([0x1f, 0x8b, 8, 4 | 8 | 16 | 2, 0, 0, 0, 0, 0, 3])
    const extras = Buffer.concat([
      Buffer.from([3, 0, 1, 2, 3]),
      Buffer.from('name\0comment\0'),
      Buffer.from([9, 9]),
    ])
    const named = Buffer.concat([header, extras, body.subarray(10)])
    expect(await plain(named, 1)).toEqual({ text: 'hello', code: '' })
  })

  it('gives everything before a cut, then says so', async () => {
    for (const cut of [5, 300, zipped.length - 9, zipped.length - 8, zipped.length - 1]) {
      const got = await plain(zipped.subarray(0, cut), 4096)
      expect(got.code).toBe('truncated-gzip')
      expect(text.startsWith(got.text)).toBe(true)
      if (cut >= zipped.length - 8) expect(got.text).toBe(text)
    }
    const half = await plain(zipped.subarray(0, zipped.length / 2))
    expect(half.text.length).toBeGreaterThan(text.length / 4)
  })

  it('gives everything before trailing garbage, then says so', async () => {
    const spoilt = Buffer.concat([gzipSync('small'), Buffer.from('garbage')])
    for (const size of [1, spoilt.length]) {
      expect(await plain(spoilt, size)).toEqual({ text: 'small', code: 'trailing-garbage' })
    }
  })

  it('tells a wrong checksum, a wrong length and damaged data', async () => {
    for (const at of [zipped.length - 8, zipped.length - 4]) {
      const wrong = Buffer.from(zipped)
      wrong.writeUInt32LE(1234, at)
      expect(await plain(wrong)).toEqual({ text, code: 'corrupt-gzip' })
    }
    const damaged = Buffer.from(zipped)
    damaged.fill(0xff, 20_000, 20_100)
    const got = await plain(damaged)
    expect(got.code).toBe('corrupt-gzip')
    // At most the output of the step that failed is lost.
    expect(got.text.length).toBeGreaterThan(1000)
  })
})

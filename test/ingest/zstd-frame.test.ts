import { compress, init } from '@bokuweb/zstd-wasm'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { zstdFrames } from '../../ingest/zstd-frame.ts'

/** Bytes per record of 8 B, so that every width of a frame's declared size occurs: 1, 2 and 4 bytes. */
const texts = fc
  .record({ part: fc.uint8Array({ minLength: 1, maxLength: 300 }), times: fc.integer({ min: 0, max: 1000 }) })
  .map(({ part, times }) => Buffer.concat(Array.from({ length: times }, () => part)))

const SKIPPED = Buffer.from([0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3])

describe('zstdFrames', () => {
  beforeAll(() => init())

  it('finds every frame and what it declares', () => {
    fc.assert(
      fc.property(fc.array(texts, { minLength: 1, maxLength: 4 }), (parts) => {
        const frames = parts.map((part) => Buffer.from(compress(part)))
        const found = zstdFrames(Buffer.concat([SKIPPED, ...frames, SKIPPED]))
        expect(found.map(({ bytes }) => bytes)).toEqual(parts.map(({ length }) => length))
        expect(found.map(({ start, end }) => end - start)).toEqual(frames.map(({ length }) => length))
        expect(found.every(({ declared }) => declared)).toBe(true)
      }),
      { numRuns: 50 },
    )
  })

  it('bounds what a frame without a size holds by its blocks', () => {
    // No size, no checksum, a window of 128 KiB; 5 raw bytes, then 100 times the same one.
    const header = [0x28, 0xb5, 0x2f, 0xfd, 0, 7 << 3]
    const blocks = [5 << 3, 0, 0, 1, 2, 3, 4, 5, ((100 << 3) | 3) & 0xff, (100 << 3) >> 8, 0, 9]
    const frame = Buffer.from([...header, ...blocks])
    expect(zstdFrames(frame)).toEqual([{ start: 0, end: frame.length, bytes: 105, declared: false }])
  })

  it('throws on what is not whole', () => {
    const frame = Buffer.from(compress(Buffer.from('abcdefg'.repeat(1000))))
    for (let length = 1; length < frame.length; length++)
      expect(() => zstdFrames(frame.subarray(0, length))).toThrow()
    expect(zstdFrames(frame)).toHaveLength(1)
    expect(() => zstdFrames(Buffer.concat([frame, Buffer.from('more')]))).toThrow()
  })
})

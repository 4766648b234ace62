import fc from 'fast-check'
import { compressFrameSync } from 'lz4-napi'
import { describe, expect, it } from 'vitest'
import { measureLz4Frame } from '../../ingest/lz4-frame.ts'

/** From noise to zeros: what repeats makes matches, what does not makes literals. */
const texts = fc
  .array(fc.record({ part: fc.uint8Array({ maxLength: 600 }), times: fc.integer({ min: 1, max: 400 }) }), {
    maxLength: 8,
  })
  .map((parts) =>
    Buffer.concat(parts.flatMap(({ part, times }) => Array.from({ length: times }, () => part))),
  )
const options = fc.record({ contentChecksum: fc.boolean(), blockChecksums: fc.boolean() })

describe('measureLz4Frame', () => {
  it('knows the length exactly when it must read the blocks', () => {
    fc.assert(
      fc.property(texts, options, (text, option) => {
        const frame = compressFrameSync(text, option)
        expect(measureLz4Frame(Buffer.concat([frame, Buffer.from('more')]), -1)).toEqual({
          end: frame.length,
          bytes: text.length,
        })
      }),
    )
  })

  it('never says less, and reads nothing, when the bound is within the limit', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const { end, bytes } = measureLz4Frame(compressFrameSync(text), 1e9)
        expect(bytes).toBeGreaterThanOrEqual(text.length)
        expect(bytes).toBeLessThanOrEqual(255 * end)
      }),
    )
  })

  it('believes a declared size that is larger', () => {
    const frame = compressFrameSync(Buffer.from('abc'))
    const size = Buffer.alloc(8)
    size.writeBigUInt64LE(2n ** 40n)
    const descriptor = Buffer.from([frame.readUInt8(4) | 8, frame.readUInt8(5)])
    const declared = Buffer.concat([frame.subarray(0, 4), descriptor, size, frame.subarray(6)])
    expect(measureLz4Frame(declared, 1e6).bytes).toBe(2 ** 40)
  })

  it('throws on what is not whole', () => {
    const frame = compressFrameSync(Buffer.alloc(50_000, 'abcdefg'), { contentChecksum: true })
    for (let length = 0; length < frame.length; length++)
      expect(() => measureLz4Frame(frame.subarray(0, length), 1e6)).toThrow()
    expect(measureLz4Frame(frame, 1e6).end).toBe(frame.length)
  })
})

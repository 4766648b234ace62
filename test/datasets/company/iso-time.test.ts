import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isoMillisecond, isoSecond } from '../../../datasets/company/iso-time.ts'

describe('ISO times', () => {
  it('are what the engine writes, whatever was asked before', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_000_000_000_000 }), (time) => {
        const iso = new Date(time).toISOString()
        expect(isoSecond(time)).toBe(iso.slice(0, 19))
        expect(isoMillisecond(time)).toBe(iso.slice(0, 23))
      }),
    )
  })
})

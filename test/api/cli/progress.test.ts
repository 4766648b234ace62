import { PassThrough } from 'node:stream'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { duration, progressLine, shareDone } from '../../../api/cli/progress.ts'
import { createReplayTally, replayInOrder } from '../../../ingest/replay-order.ts'
import { fake, registry } from '../../ingest/fake-sources.ts'

describe('the share done', () => {
  const facts = { bytes: 1000, consumed: 1000, parsed: 50, taken: 50, durable: false }

  it('is 100 % only when everything is durable', () => {
    expect(shareDone(facts)).toBe(0.99)
    expect(shareDone({ ...facts, durable: true })).toBe(1)
    fc.assert(
      fc.property(fc.nat(2000), fc.nat(100), fc.nat(100), (consumed, parsed, taken) => {
        const share = shareDone({ bytes: 1000, consumed, parsed, taken, durable: false })
        expect(share).toBeGreaterThanOrEqual(0)
        expect(share).toBeLessThan(1)
      }),
    )
  })

  it('leaves out what was read and waits to be taken', () => {
    expect(shareDone({ ...facts, taken: 5 })).toBeCloseTo(0.1)
    expect(shareDone({ ...facts, consumed: 500, taken: 5 })).toBeCloseTo(0.05)
    expect(shareDone({ ...facts, parsed: 0, taken: 0 })).toBe(0)
  })

  it('is unknown when the size is', () => {
    expect(shareDone({ ...facts, bytes: 0 })).toBeUndefined()
    expect(shareDone({ ...facts, bytes: 0, durable: true })).toBeUndefined()
  })

  it('of a small file that is read as a whole before its first record is taken starts low', async () => {
    const text = Array.from({ length: 10_000 }, (_, i) => `${fake(`id-${i}`, 1000 + i)}\n`).join('')
    const tally = createReplayTally()
    const stdin = new PassThrough()
    stdin.end(text)
    let taken = 0
    let first = -1
    for await (const records of replayInOrder([{ path: '-', kind: 'stream', size: 0 }], {
      registry,
      source: undefined,
      tenant: '',
      arrival: 0,
      stdin,
      tally,
      onProblem: (problem) => {
        throw problem
      },
    })) {
      taken += records.length
      const share = shareDone({ ...tally, bytes: text.length, taken, durable: false }) ?? 1
      if (first < 0) first = share
      expect(share).toBeLessThan(1)
    }
    expect(first).toBeLessThan(0.6)
    expect([taken, tally.parsed, tally.consumed]).toEqual([10_000, 10_000, text.length])
  })
})

describe('the line', () => {
  it('says the share, the rate, the position and the time left', () => {
    expect(progressLine('replay', { done: 5000, share: 0.25, position: Date.UTC(2026, 2, 2) }, 10)).toBe(
      'replay 25 %: 5,000 events, 500/s, at 2026-03-02 00:00, 30 s left',
    )
    expect(progressLine('replay', { done: 5000, share: undefined, position: 0 }, 10)).toBe(
      'replay: 5,000 events, 500/s',
    )
  })

  it.each([
    [0, '0 s'],
    [600, '10 min'],
    [7200, '2.0 h'],
  ])('%i seconds are %s', (seconds, text) => expect(duration(seconds)).toBe(text))
})

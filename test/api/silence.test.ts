import { describe, expect, it } from 'vitest'
import { Hearing } from '../../api/silence.ts'

const MINUTE = 60_000

describe('Hearing', () => {
  const every = (minutes: number, times: number): Hearing => {
    const hearing = new Hearing()
    for (let index = 0; index < times; index++) hearing.heard(index * minutes * MINUTE)
    return hearing
  }

  it('reports who usually speaks every minute after ten minutes', () => {
    const last = 99 * MINUTE
    expect(every(1, 100).silence(last + 9 * MINUTE)).toBe(0)
    expect(every(1, 100).silence(last + 11 * MINUTE)).toBe(11 * MINUTE)
  })

  it('leaves alone who speaks once an hour until three hours have passed', () => {
    const last = 29 * 60 * MINUTE
    expect(every(60, 30).silence(last + 170 * MINUTE)).toBe(0)
    expect(every(60, 30).silence(last + 190 * MINUTE)).toBe(190 * MINUTE)
  })

  it('says nothing of who was hardly ever heard', () => {
    expect(every(1, 19).silence(1_000_000 * MINUTE)).toBe(0)
    expect(new Hearing().silence(1_000_000 * MINUTE)).toBe(0)
  })

  it('ends when something comes', () => {
    const hearing = every(1, 100)
    hearing.heard(200 * MINUTE)
    expect(hearing.silence(201 * MINUTE)).toBe(0)
  })
})

import { describe, expect, it } from 'vitest'
import { BUDGET_SPLIT } from '../../detectors/budget.ts'
import { CalibrationBook } from '../../detectors/calibration-book.ts'
import { cappedP } from '../../detectors/combination.ts'
import type { Detector } from '../../detectors/detector.ts'
import { loadDetectors } from '../../detectors/detectors.ts'
import type { Signal } from '../../detectors/verdict.ts'
import { IdentityState } from '../../features/identity-state.ts'
import type { CalibrationRow } from '../../features/rows.ts'
import { EXAMPLE } from '../support/activities.ts'

const { all: detectors } = await loadDetectors()
const STRATUM = 'cloudtrail/low'
const QUIET = { 'campaign-24h': 0, 'campaign-6d': 0 } as const

/** Deterministic uniform numbers in (0, 1). */
function uniform(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 4294967296
  }
}

interface Estate {
  readonly book: CalibrationBook
  readonly next: () => number
  readonly unitsPerDay: number
}

/** A day of identities that do nothing wrong: every detector speaks in a third of the hours, with honest p-values. */
function quietDay(
  { book, next, unitsPerDay }: Estate,
  day: number,
): { alerts: number; rows: CalibrationRow[] } {
  const rows = book.rollover(day)
  book.at(day)
  book.goLive(day)
  let alerts = 0
  for (let unit = 0; unit < unitsPerDay; unit++) {
    const scores: Record<string, number> = {}
    const signals: Signal[] = []
    for (const detector of SPEAKERS) {
      if (next() > 1 / 3) continue
      // Worth a weight, as a sensitive action is: calibration must take it back.
      const score = -Math.log(next()) + (detector.id === 'first-seen-action' ? Math.log(30) : 0)
      scores[detector.id] = Math.round(score * 1000) / 1000
      signals.push(said(book, detector, score))
    }
    const { combined, p } = book.combine(STRATUM, signals)
    if (combined > 0) scores.combined = Math.round(combined * 1000) / 1000
    const hour = day * 24 + (unit % 24)
    const alerted = book.crossing(STRATUM, p, QUIET) !== null
    const counted = alerted ? book.scoresOfAlerted(STRATUM, hour, scores) : scores
    if (counted !== null) book.record(STRATUM, hour, counted)
    if (alerted) {
      alerts += 1
      book.countAlert(day)
    }
  }
  return { alerts, rows }
}

const SPEAKERS = detectors.filter((d) =>
  [
    'first-seen-action',
    'first-seen-country',
    'first-seen-user-agent',
    'unusual-rate',
    'unusual-denials',
  ].includes(d.id),
)

function said(book: CalibrationBook, detector: Detector, score: number): Signal {
  return {
    detector,
    draft: { score, observed: {}, expected: {}, text: '', value: '' },
    p: cappedP(book.p(STRATUM, detector.id, score), detector.leastP ?? 0),
    evidence: [],
    firstTime: 0,
    lastTime: 0,
  }
}

describe('a young estate', () => {
  it('is not calibrated below 500 units: p is ten times what a score claims', () => {
    const book = new CalibrationBook({ alertsPerDay: 1 })
    expect(book.p(STRATUM, 'x', -Math.log(1e-4))).toBeCloseTo(1e-3, 12)
    expect(book.p(STRATUM, 'x', 1)).toBe(1)
    expect(book.describe(STRATUM)).toEqual({ units: 0, state: 'uncalibrated' })
    expect(book.unitsPerDay).toBe(1000)
  })

  it('does not alert on what only looks rare', () => {
    const book = new CalibrationBook({ alertsPerDay: 1 })
    expect(book.crossing(STRATUM, (0.6 / 1000) * 1.01, QUIET)).toBeNull()
    expect(book.crossing(STRATUM, (0.6 / 1000) * 0.99, QUIET)).toEqual({
      p: (0.6 / 1000) * 0.99,
      campaign: null,
    })
  })
})

describe('counting', () => {
  const filled = (units: number, score: number): CalibrationBook => {
    const book = new CalibrationBook({ alertsPerDay: 1 })
    book.rollover(10)
    for (let i = 0; i < units; i++) book.record(STRATUM, 10 * 24, i % 100 === 0 ? { x: score } : {})
    return book
  }

  it('of a day is asked three days later, when all its hours are closed', () => {
    const book = filled(3000, 6)
    for (const day of [11, 12]) {
      book.rollover(day)
      expect(book.describe(STRATUM).units).toBe(0)
    }
    book.rollover(13)
    expect(book.describe(STRATUM)).toEqual({ units: 3000, state: 'calibrated' })
    // One unit in a hundred reached 6: so rare it is, whatever the score itself claims.
    expect(book.p(STRATUM, 'x', 6)).toBeCloseTo(31 / 3001, 6)
    expect(book.unitsPerDay).toBe(3000)
  })

  it('never makes a score rarer than it claims to be', () => {
    const book = filled(3000, 0.1)
    book.rollover(13)
    expect(book.p(STRATUM, 'x', 3)).toBeCloseTo(Math.exp(-3), 12)
  })

  it('hands each complete day over once, and takes nothing into it afterwards', () => {
    const book = filled(3, 6)
    expect(book.rollover(12)).toEqual([])
    const rows = [
      { day: 10, stratum: STRATUM, detector: '', bin: 0, units: 3 },
      { day: 10, stratum: STRATUM, detector: 'x', bin: 120, units: 1 },
    ]
    expect(book.rollover(13)).toEqual(rows)
    book.record(STRATUM, 10 * 24 + 5, { x: 9 })
    expect(book.rollover(13)).toEqual([])
    expect(book.rollover(14)).toEqual([])
    expect(book.describe(STRATUM).units).toBe(3)
  })

  it('forgets after 28 days', () => {
    const book = filled(600, 6)
    book.rollover(40)
    expect(book.describe(STRATUM).units).toBe(600)
    book.rollover(41)
    expect(book.describe(STRATUM).units).toBe(0)
  })

  it('judges what arrives across midnight by the day it belongs to', () => {
    const book = filled(600, 6)
    book.rollover(13)
    book.at(12)
    expect(book.describe(STRATUM).units).toBe(0)
    book.at(13)
    expect(book.describe(STRATUM).units).toBe(600)
    // What is long over is judged as yesterday, and the future as today.
    book.at(3)
    expect(book.describe(STRATUM).units).toBe(0)
    book.at(99)
    expect(book.describe(STRATUM).units).toBe(600)
  })

  it('is by stratum where there are 2 000 units, else by kind of log, else whole', () => {
    const book = new CalibrationBook({ alertsPerDay: 1 })
    book.rollover(10)
    const record = (stratum: string, units: number): void => {
      for (let i = 0; i < units; i++) book.record(stratum, 240, {})
    }
    record('cloudtrail/low', 2000)
    record('cloudtrail/high', 100)
    record('kubernetes/low', 300)
    record('kubernetes/high', 1800)
    record('auth/low', 10)
    book.rollover(13)
    expect(book.describe('cloudtrail/low').units).toBe(2000)
    expect(book.describe('cloudtrail/high').units).toBe(2100)
    expect(book.describe('kubernetes/low').units).toBe(2100)
    expect(book.describe('auth/low').units).toBe(4210)
  })

  it('puts identities into strata by what an active hour of theirs holds', () => {
    const book = new CalibrationBook({ alertsPerDay: 1 })
    const state = new IdentityState(EXAMPLE, 'kubernetes')
    const stratum = (units: number, events: number): string => {
      Object.assign(state.moments, { units, events })
      return book.stratumOf(state)
    }
    expect(stratum(0, 0)).toBe('kubernetes/low')
    expect(stratum(10, 49)).toBe('kubernetes/low')
    expect(stratum(10, 50)).toBe('kubernetes/middle')
    expect(stratum(10, 500)).toBe('kubernetes/high')
  })
})

describe('campaigns', () => {
  it('cross their own part of the budget, once calibrated', () => {
    const book = new CalibrationBook({ alertsPerDay: 1 })
    const campaigns = { 'campaign-24h': 12, 'campaign-6d': 15 }
    expect(book.crossing(STRATUM, 1, campaigns)).toBeNull()
    book.rollover(10)
    for (let i = 0; i < 1000; i++) book.record(STRATUM, 240, {})
    book.rollover(13)
    const crossing = book.crossing(STRATUM, 1, campaigns)
    expect(crossing?.campaign).toBe('campaign-6d')
    expect(crossing?.p).toBeLessThan((BUDGET_SPLIT.campaign * 1) / 1000 / 2)
    expect(book.crossing(STRATUM, 1, { 'campaign-24h': 1, 'campaign-6d': 1 })).toBeNull()
  })
})

describe('restoring', () => {
  it('goes on like the book that never stopped', () => {
    const lived: Estate = {
      book: new CalibrationBook({ alertsPerDay: 3 }),
      next: uniform(7),
      unitsPerDay: 400,
    }
    const stored: CalibrationRow[] = []
    for (let day = 100; day < 150; day++) stored.push(...quietDay(lived, day).rows)

    // What the store holds: whole days, and the units of the days that are not whole yet.
    const { book } = lived
    const day = book.day
    const open: { stratum: string; hour: number; scores: Record<string, number> }[] = []
    const replayed: Estate = {
      book: new CalibrationBook({ alertsPerDay: 3 }),
      next: uniform(7),
      unitsPerDay: 400,
    }
    const record = replayed.book.record.bind(replayed.book)
    replayed.book.record = (stratum, hour, scores) => {
      open.push({ stratum, hour, scores: { ...scores } })
      record(stratum, hour, scores)
    }
    for (let past = 100; past <= day; past++) quietDay(replayed, past)

    const revived = new CalibrationBook({ alertsPerDay: 3 })
    revived.load(stored.filter((row) => row.day >= day - 32 && row.day <= day - 3))
    for (const unit of open)
      if (unit.hour >= (day - 2) * 24) revived.record(unit.stratum, unit.hour, unit.scores)
    revived.restore(JSON.parse(book.save()))

    expect(revived.save()).toBe(book.save())
    const next = { lived: uniform(9), revived: uniform(9) }
    for (let ahead = day + 1; ahead < day + 40; ahead++) {
      const a = quietDay({ ...lived, next: next.lived }, ahead)
      const b = quietDay({ book: revived, next: next.revived, unitsPerDay: 400 }, ahead)
      expect(sorted(b.rows)).toEqual(sorted(a.rows))
      expect(b.alerts).toBe(a.alerts)
      expect(revived.unitsPerDay).toBe(book.unitsPerDay)
      expect(revived.p(STRATUM, 'combined', 5)).toBe(book.p(STRATUM, 'combined', 5))
    }
    expect(revived.save()).toBe(book.save())
  })
})

const sorted = (rows: readonly CalibrationRow[]): string[] => rows.map((row) => JSON.stringify(row)).sort()

describe('the budget', () => {
  it.each([
    [1, 1],
    [2, 5],
    [3, 5],
    [4, 20],
  ])('is kept where nothing happens (seed %i, %i a day)', (seed, alertsPerDay) => {
    const estate: Estate = {
      book: new CalibrationBook({ alertsPerDay }),
      next: uniform(seed),
      unitsPerDay: 1500,
    }
    const first = 1000
    for (let day = first; day < first + 56; day++) quietDay(estate, day)
    let alerts = 0
    for (let day = first + 56; day < first + 112; day++) alerts += quietDay(estate, day).alerts
    const perDay = alerts / 56
    expect(perDay).toBeGreaterThan(alertsPerDay / 2)
    expect(perDay).toBeLessThan(alertsPerDay * 2)
  })

  it('follows the operator: more alerts a day, more alerts', () => {
    const crossing = (alertsPerDay: number): boolean =>
      new CalibrationBook({ alertsPerDay }).crossing(STRATUM, 2e-3, QUIET) !== null
    expect([1, 3, 4, 20].map(crossing)).toEqual([false, false, true, true])
  })

  it('is not steered by a single day of flood, nor by days of learning', () => {
    const factor = (book: CalibrationBook): unknown => JSON.parse(book.save()).factor
    const book = new CalibrationBook({ alertsPerDay: 5 })
    for (let day = 0; day < 60; day++) book.rollover(day)
    expect(factor(book)).toBe(1)
    book.goLive(60)
    for (let day = 60; day < 90; day++) {
      book.rollover(day)
      for (let i = 0; i < (day === 80 ? 500 : 5); i++) book.countAlert(day)
    }
    expect(factor(book)).toBe(1)
    for (let day = 90; day < 120; day++) {
      book.rollover(day)
      for (let i = 0; i < 10; i++) book.countAlert(day)
    }
    expect(factor(book)).toBeLessThan(1)
  })
})

import type { Random } from '../random.ts'
import { HOUR, type Hour, MINUTE } from './record.ts'

/** When something works: how many calls to expect in an hour, and where in the hour they fall. */
export interface Rhythm {
  /** Expected calls in the hour, before noise. 0: none at all. */
  readonly expected: (hour: Hour, random: Random) => number
  /** Milliseconds from the start of the hour. `piece` is the running number of the call among `count`. */
  readonly place: (random: Random, piece: number, count: number) => number
}

const anywhere = (random: Random): number => random.int(HOUR)

/** Round the clock, busier by day: a sine around 14:00 UTC, quieter at the weekend. */
export function roundTheClock(perHour: number, swing = 0.5, weekend = 0.7): Rhythm {
  return {
    expected: ({ ofDay, weekday }) =>
      perHour *
      (1 + swing * Math.cos(((ofDay - 14) / 24) * 2 * Math.PI)) *
      (weekday === 0 || weekday === 6 ? weekend : 1),
    place: anywhere,
  }
}

/** Every hour at the same minute, for some minutes. */
export function hourlyAt(minute: number, lasting: number, calls: number): Rhythm {
  return {
    expected: () => calls,
    place: (random) => (minute + random.float() * lasting) * MINUTE,
  }
}

/** Once a night. Now and then the run is late by up to a quarter of an hour. */
export function nightly(hourOfDay: number, calls: number): Rhythm {
  return {
    expected: ({ ofDay }) => (ofDay === hourOfDay ? calls : 0),
    place: (random, piece, count) => (5 + (piece / Math.max(1, count)) * 40 + random.float() * 3) * MINUTE,
  }
}

/** Once a month, on the second at the given hour. */
export function monthly(hourOfDay: number, calls: number): Rhythm {
  return {
    expected: ({ ofDay, dayOfMonth }) => (ofDay === hourOfDay && dayOfMonth === 2 ? calls : 0),
    place: (random, piece, count) => (10 + (piece / Math.max(1, count)) * 20 + random.float()) * MINUTE,
  }
}

/** On working days between 07:00 and 18:00 UTC, in runs of five minutes: the calls of a run stand close together. */
export function pipelineRuns(runs: number, callsPerRun: number): Rhythm {
  return {
    expected: ({ ofDay, weekday }, random) => {
      if (weekday === 0 || weekday === 6 || ofDay < 7 || ofDay > 17) return 0
      return random.poisson(ofDay === 12 ? runs / 2 : runs) * callsPerRun
    },
    // Runs start on multiples of ten minutes, which is also how a run is told from the next (its session).
    place: (random, piece) =>
      (Math.floor(piece / callsPerRun) % 6) * 10 * MINUTE + (0.5 + random.float() * 5) * MINUTE,
  }
}

/** Office hours of one time zone (offset in hours from UTC), with a lunch dip; little at night, less at the weekend. */
export function officeHours(perHour: number, offset: number): Rhythm {
  return {
    expected: ({ ofDay, weekday }) => {
      const local = (ofDay + offset + 24) % 24
      const share =
        local >= 8 && local < 18 ? (local === 12 ? 0.7 : 1) : local >= 6 && local < 21 ? 0.3 : 0.04
      return perHour * share * (weekday === 0 || weekday === 6 ? 0.25 : 1)
    },
    place: anywhere,
  }
}

/** A person: some working hours, now and then an evening. */
export function person(perHour: number, offset: number): Rhythm {
  return {
    expected: ({ ofDay, weekday }, random) => {
      const local = (ofDay + offset + 24) % 24
      const works = weekday >= 1 && weekday <= 5 && local >= 8 && local < 18
      const present = works ? random.chance(0.45) : local >= 18 && local < 23 && random.chance(0.04)
      return present ? perHour * random.gamma(1.5) : 0
    },
    place: anywhere,
  }
}

/** Only in the first days of the company, by day; silent afterwards. */
export function untilDay(lastDay: number, rhythm: Rhythm): Rhythm {
  return {
    expected: (hour, random) => (hour.day >= lastDay ? 0 : rhythm.expected(hour, random)),
    place: rhythm.place,
  }
}

/**
 * The number of calls that a rhythm makes in an hour: Poisson around a mean that itself varies (a negative binomial), with
 * a rare hour of three to six times the usual volume, which is a retry, a resync or a backfill and no attack.
 */
export function callsIn(rhythm: Rhythm, hour: Hour, random: Random, scale: number): number {
  const expected = rhythm.expected(hour, random)
  if (expected <= 0) return 0
  const storm = random.chance(0.002) ? random.between(3, 6) : 1
  return random.poisson(expected * scale * storm * random.gamma(12))
}

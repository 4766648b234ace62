/**
 * Times of logs: RFC 3339 with any offset and precision, epoch numbers of any usual unit, the access-log form
 * `27/Mar/2023:13:06:56 +0000`, and RFC 3164 syslog times that carry no year.
 *
 * Everything is parsed by hand, character by character: `Date.parse` accepts too much (`'1'` is the year 2001), is local
 * to the machine for forms without an offset, and is slower.
 */

const DAY = 86_400_000
const MINUTE = 60_000
/** 9999-12-31T23:59:59.999Z. */
const LAST = 253_402_300_799_999
/** Longest text that can be a time; longer ones are refused unread. */
const LONGEST = 64

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const

/**
 * Epoch milliseconds (integer, rounded down) of a time as logs write it; undefined when it is not a time, or not within
 * the years 1970 to 9999 (UTC). A date-time without an offset is UTC. Numbers and numeric strings are epoch seconds,
 * milliseconds, microseconds or nanoseconds by magnitude.
 */
export function parseTime(value: string | number): number | undefined {
  if (typeof value === 'number') return parseEpoch(value)
  const length = value.length
  if (length > LONGEST || length < 1) return undefined
  const fourth = value.charCodeAt(4)
  if (fourth === 45 && length >= 19) return parseIso(value)
  if (value.charCodeAt(2) === 47 && length >= 26) return parseAccessLog(value)
  return parseEpochText(value)
}

/**
 * Epoch milliseconds of an RFC 3164 time (`Mar 27 13:06:56`, read as UTC) at the start of `text`. The year, which the
 * format lacks, is the latest that puts the time no more than 24 h after `arrival` (epoch ms): a line of 31 December
 * read on 1 January belongs to the old year, and a clock a little fast does not throw a line back by a year.
 */
export function syslogTime(text: string, arrival: number): number | undefined {
  if (!Number.isFinite(arrival) || arrival < 0 || arrival > LAST) return undefined
  const month = monthOf(text, 0)
  if (month === 0 || text.charCodeAt(3) !== 32 || text.charCodeAt(6) !== 32) return undefined
  const day = text.charCodeAt(4) === 32 ? digits(text, 5, 1) : digits(text, 4, 2)
  const clock = clockOf(text, 7)
  if (day < 0 || clock < 0) return undefined
  if (text.length > 15 && text.charCodeAt(15) !== 32) return undefined
  const latest = arrival + DAY
  const newest = new Date(latest).getUTCFullYear()
  // Eight years back at most: 29 February of 2104 was last seen in 2096, because 2100 is no leap year.
  for (let year = newest; year >= Math.max(1970, newest - 8); year--) {
    if (!isCalendarDay(year, month, day)) continue
    const time = Date.UTC(year, month - 1, day) + clock
    if (time <= latest) return time
  }
  return undefined
}

function parseEpoch(value: number): number | undefined {
  if (!(value >= 0) || value > LAST * 1e6) return undefined
  // 1e11 s is the year 5138, 1e11 ms is 1973: no real log has times between the readings. The added half microsecond
  // undoes binary rounding (1669709744.042 * 1000 is a hair below …042), which would otherwise lose a millisecond.
  const ms =
    value < 1e11 ? value * 1000 : value < 1e14 ? value : value < 1e17 ? value / 1000 : value / 1_000_000
  return inRange(Math.floor(ms + 0.0005))
}

/** Digits with an optional fraction. Kept apart from `Number()`, which also takes '', ' 1 ', '0x10' and '1e3'. */
function parseEpochText(value: string): number | undefined {
  let point = -1
  for (let index = 0; index < value.length; index++) {
    const code = value.charCodeAt(index)
    if (code >= 48 && code <= 57) continue
    if (code === 46 && point < 0 && index > 0 && index < value.length - 1) point = index
    else return undefined
  }
  return parseEpoch(Number(value))
}

/** `YYYY-MM-DD`, then `T` or a space, then `HH:MM:SS`, then an optional fraction and an optional offset. */
function parseIso(value: string): number | undefined {
  const year = digits(value, 0, 4)
  const month = digits(value, 5, 2)
  const day = digits(value, 8, 2)
  const separator = value.charCodeAt(10)
  if (value.charCodeAt(7) !== 45 || (separator !== 84 && separator !== 32 && separator !== 116))
    return undefined
  if (year < 1969 || !isCalendarDay(year, month, day)) return undefined
  const clock = clockOf(value, 11)
  if (clock < 0) return undefined
  const base = Date.UTC(year, month - 1, day) + clock
  if (value.length === 20 && value.charCodeAt(19) === 90) return inRange(base)

  let at = 19
  let fraction = 0
  const mark = value.charCodeAt(at)
  if (mark === 46 || mark === 44) {
    at++
    const start = at
    let weight = 100
    for (; isDigit(value.charCodeAt(at)); at++) {
      // Beyond three digits the weight is a fraction of a millisecond: skipped, which rounds down.
      if (weight >= 1) fraction += (value.charCodeAt(at) - 48) * weight
      weight = weight > 1 ? weight / 10 : 0
    }
    if (at === start) return undefined
  }
  const offset = offsetOf(value, at)
  return offset === undefined ? undefined : inRange(base + fraction - offset)
}

function parseAccessLog(value: string): number | undefined {
  const day = digits(value, 0, 2)
  const month = monthOf(value, 3)
  const year = digits(value, 7, 4)
  if (value.charCodeAt(6) !== 47 || value.charCodeAt(11) !== 58 || value.charCodeAt(20) !== 32)
    return undefined
  if (year < 1969 || !isCalendarDay(year, month, day)) return undefined
  const clock = clockOf(value, 12)
  if (clock < 0 || value.length === 20) return undefined
  const offset = offsetOf(value, 21)
  return offset === undefined ? undefined : inRange(Date.UTC(year, month - 1, day) + clock - offset)
}

/** Milliseconds to subtract for the zone at `at` (nothing, `Z`, `±HH:MM`, `±HHMM`, `±HH`, a space before); undefined when malformed. */
function offsetOf(text: string, start: number): number | undefined {
  if (start === text.length) return 0
  const at = text.charCodeAt(start) === 32 ? start + 1 : start
  const sign = text.charCodeAt(at)
  if (sign === 90 || sign === 122) return at + 1 === text.length ? 0 : undefined
  if (sign !== 43 && sign !== 45) return undefined
  const hours = digits(text, at + 1, 2)
  const rest = text.length - at
  const minutes =
    rest === 3
      ? 0
      : rest === 5
        ? digits(text, at + 3, 2)
        : rest === 6 && text.charCodeAt(at + 3) === 58
          ? digits(text, at + 4, 2)
          : -1
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return undefined
  return (sign === 45 ? -1 : 1) * (hours * 60 + minutes) * MINUTE
}

/** Milliseconds since midnight of `HH:MM:SS` at `at`, or -1. Second 60 (a leap second) is the start of the next minute. */
function clockOf(text: string, at: number): number {
  const hours = digits(text, at, 2)
  const minutes = digits(text, at + 3, 2)
  const seconds = digits(text, at + 6, 2)
  if (text.charCodeAt(at + 2) !== 58 || text.charCodeAt(at + 5) !== 58) return -1
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || seconds < 0 || seconds > 60) return -1
  return hours * 3_600_000 + minutes * MINUTE + seconds * 1000
}

function isCalendarDay(year: number, month: number, day: number): boolean {
  if (month < 1 || month > 12 || day < 1) return false
  if (day <= 28) return true
  if (month === 2) return day === 29 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  return day <= (month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31)
}

/** 1 to 12, or 0 when the three characters at `at` name no month. */
function monthOf(text: string, at: number): number {
  for (let index = 0; index < MONTHS.length; index++) {
    if (text.startsWith(MONTHS[index] ?? '-', at)) return index + 1
  }
  return 0
}

/** The number written in `count` digits at `at`, or -1. */
function digits(text: string, at: number, count: number): number {
  let value = 0
  for (let index = at; index < at + count; index++) {
    const code = text.charCodeAt(index)
    if (!isDigit(code)) return -1
    value = value * 10 + code - 48
  }
  return value
}

/** NaN, the code of a character beyond the end, is no digit. */
function isDigit(code: number): boolean {
  return code >= 48 && code <= 57
}

function inRange(time: number): number | undefined {
  return time >= 0 && time <= LAST ? time : undefined
}

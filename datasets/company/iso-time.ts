import { HOUR } from './record.ts'

const PAIRS = Array.from({ length: 60 }, (_, value) => String(value).padStart(2, '0'))
let cachedHour = Number.NaN
let cachedText = ''

/**
 * `2026-09-01T08:15:30` of an epoch in ms. Records come hour by hour, and the engine's own formatting of a date costs more
 * than the rest of a line: only the hour is left to it, once.
 */
export function isoSecond(time: number): string {
  const hour = Math.floor(time / HOUR)
  if (hour !== cachedHour) {
    cachedText = new Date(hour * HOUR).toISOString().slice(0, 14)
    cachedHour = hour
  }
  const second = Math.floor((time - hour * HOUR) / 1000)
  return `${cachedText}${PAIRS[Math.floor(second / 60)] ?? ''}:${PAIRS[second % 60] ?? ''}`
}

/** The same with milliseconds: `2026-09-01T08:15:30.123`. */
export function isoMillisecond(time: number): string {
  return `${isoSecond(time)}.${String(Math.floor(time) % 1000).padStart(3, '0')}`
}

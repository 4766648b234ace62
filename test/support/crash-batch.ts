import { FEATURES } from '../../features/feature.ts'
import type { PresenceRow, StoreBatch } from '../../features/rows.ts'
import { activity, emptyBatch, unit } from './store.ts'

/** Activities of one batch unless told otherwise, over two identities and two months. */
export const ROWS = 2000
const HOUR = 3_600_000
/** Hours of 2025: batch n fills one hour of January and one of July. */
const JANUARY = 482_136
const JULY = 486_480

/** The n-th batch of the crash test: the same number is the same batch, in every process. */
export function crashBatch(number: number, rows: number = ROWS): StoreBatch {
  const activities = Array.from({ length: rows }, (_, at) => {
    const half = at % 2
    const hour = (half === 0 ? JANUARY : JULY) + number
    return activity(`${number}-${at}`, `crash ${half}`, hour * HOUR + at, { resources: [] })
  })
  const presence: PresenceRow[] = []
  for (const half of [0, 1]) {
    const hour = (half === 0 ? JANUARY : JULY) + number
    const sample = activities[half]
    if (sample === undefined) continue
    for (const feature of FEATURES) {
      const value = feature.of(sample)
      if (value === '') continue
      presence.push({
        identity: `crash ${half}`,
        feature: feature.id,
        value,
        day: Math.floor(hour / 24),
        hours: 1 << (hour % 24),
      })
    }
  }
  const units = [0, 1].map((half) =>
    unit(`crash ${half}`, (half === 0 ? JANUARY : JULY) + number, {
      events: rows / 2,
      resources: 0,
      bytes: (rows / 2) * 10,
    }),
  )
  const alert = { identity: 'crash 0', day: 1, lastTime: 2, severityId: 1, version: 1, body: '{}' }
  return {
    ...emptyBatch,
    activities,
    presence,
    units,
    alerts: [{ ...alert, uid: `alert ${number}`, firstTime: number }],
  }
}

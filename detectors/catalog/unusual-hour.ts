import { z } from 'zod'
import { hourOfDayP } from '../../features/hour-of-day.ts'
import { defineDetector } from '../detector.ts'

/** Active at an hour of the day at which it usually sleeps. Weak: it supports other signals. */
export const detector = defineDetector({
  id: 'unusual-hour',
  title: 'Active at an unusual hour',
  family: 'access pattern',
  analyticType: 'statistical',
  leastP: 0.01,
  attacks: [{ tactic: 'TA0001', technique: 'T1078' }],
  trigger: { on: 'count', of: 'events' },
  params: z.object({}),
  sees: 'Activity at an hour of the day (UTC) in which the identity is rarely active.',
  needs: '24 active hours; identities active round the clock never fire.',
  blindSpots: ['attackers who work at the usual hours'],
  falsePositives: ['daylight saving time', 'a moved schedule', 'manual re-runs'],
  examples: {
    fires: {
      title: 'Awake at midnight',
      hours: 9 * 60,
      hoursOfDay: [8, 9, 10, 11, 12, 13, 14, 15, 16],
      now: [{ after: 8 * 60 }],
    },
    silent: { title: 'A round-the-clock service', now: [{}] },
  },
  score({ state, unit, mature }) {
    if (!mature || unit.events !== 1) return null
    const hour = unit.hour % 24
    const p = hourOfDayP(state.moments.hours, hour)
    if (p >= 0.25) return null
    const there = Math.round(state.moments.hours[hour] ?? 0)
    return {
      score: -Math.log(p),
      value: '',
      observed: { hour_utc: hour },
      expected: { active_hours_then: there, active_hours: state.closedUnits },
      text: `Active at ${String(hour).padStart(2, '0')} h UTC, where it was active ${there} times in ${state.closedUnits} active hours.`,
    }
  },
})

import { z } from 'zod'
import { unusualCount } from '../counts-signal.ts'
import { defineDetector } from '../detector.ts'
import { expectedEvents } from '../expectation.ts'

/** Many more activities in an hour than usual at this hour of the week. Blind to attackers who keep the usual pace. */
export const detector = defineDetector({
  id: 'unusual-rate',
  title: 'Far more activity than usual',
  family: 'access pattern',
  analyticType: 'statistical',
  leastP: 0.002,
  attacks: [{ tactic: 'TA0009', technique: 'T1530' }],
  trigger: { on: 'count', of: 'events' },
  params: z.object({ atLeast: z.number().int().min(1).default(20) }),
  sees: 'Activities per hour far above what this hour of the week, and an active hour of this identity, usually hold.',
  needs: '24 active hours; better after two weeks.',
  blindSpots: ['slow attacks', 'identities whose volume is wild anyway'],
  falsePositives: ['retries', 'backfills', 'resynchronisation after an outage'],
  examples: {
    fires: { title: 'Thirty times the usual', now: Array.from({ length: 60 }, () => ({ after: 0.5 })) },
    silent: { title: 'Three calls instead of one', now: [{}, {}, {}] },
  },
  score(subject, { atLeast }) {
    const { state, unit } = subject
    const { units, events, eventsSquared } = state.moments
    // An hour that is usually silent is the business of unusual-hour: here the burst is judged against active hours too.
    const active = units > 0 ? events / units : 0
    return unusualCount(subject, {
      noun: 'activities',
      count: unit.events,
      mean: Math.max(active, expectedEvents(state, unit.hour)),
      sum: events,
      sumSquares: eventsSquared,
      atLeast,
      expectation: 'at this time',
    })
  },
})

import { z } from 'zod'
import { unusualCount } from '../counts-signal.ts'
import { defineDetector } from '../detector.ts'

/** Distinct resources per hour far above the usual: the shape of harvesting. */
export const detector = defineDetector({
  id: 'unusual-distinct-resources',
  title: 'Far more different resources than usual',
  family: 'access pattern',
  analyticType: 'statistical',
  leastP: 0.001,
  attacks: [{ tactic: 'TA0009', technique: 'T1530' }],
  trigger: { on: 'count', of: 'resources' },
  params: z.object({ atLeast: z.number().int().min(2).default(8) }),
  sees: 'Distinct resources per hour far above the usual: the shape of harvesting.',
  needs: '24 active hours of history.',
  blindSpots: ['one step per hour', 'more than 4096 per hour counts as 4096'],
  falsePositives: ['inventories and audits', 'backfills'],
  examples: {
    fires: {
      title: 'A sweep',
      habit: [{ resources: ['object-0'] }, { resources: ['object-1'] }],
      now: Array.from({ length: 40 }, (_, i) => ({ resources: [`object-${i}`] })),
    },
    silent: { title: 'The usual', habit: [{ resources: ['object-0'] }], now: [{ resources: ['object-0'] }] },
  },
  score(subject, { atLeast }) {
    const { state, unit } = subject
    const { units, resources, resourcesSquared } = state.moments
    if (units <= 0) return null
    return unusualCount(subject, {
      noun: 'distinct resources',
      count: unit.resources.size,
      mean: resources / units,
      sum: resources,
      sumSquares: resourcesSquared,
      atLeast,
      expectation: 'in an active hour',
    })
  },
})

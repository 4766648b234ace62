import { z } from 'zod'
import { unusualCount } from '../counts-signal.ts'
import { defineDetector } from '../detector.ts'

/** Distinct actions per hour far above the usual: the shape of enumeration. */
export const detector = defineDetector({
  id: 'unusual-distinct-actions',
  title: 'Far more different actions than usual',
  family: 'access pattern',
  analyticType: 'statistical',
  leastP: 0.001,
  attacks: [{ tactic: 'TA0007', technique: 'T1087.004' }],
  trigger: { on: 'count', of: 'actions' },
  params: z.object({ atLeast: z.number().int().min(2).default(6) }),
  sees: 'Distinct actions per hour far above the usual: the shape of enumeration.',
  needs: '24 active hours of history.',
  blindSpots: ['one step per hour', 'more than 4096 per hour counts as 4096'],
  falsePositives: ['inventories and audits', 'backfills'],
  examples: {
    fires: {
      title: 'A sweep',
      habit: [{ resources: ['object-0'] }, { resources: ['object-1'] }],
      now: Array.from({ length: 20 }, (_, i) => ({ action: `s3.amazonaws.com:List${i}` })),
    },
    silent: { title: 'The usual', habit: [{ resources: ['object-0'] }], now: [{ resources: ['object-0'] }] },
  },
  score(subject, { atLeast }) {
    const { state, unit } = subject
    const { units, actions, actionsSquared } = state.moments
    if (units <= 0) return null
    return unusualCount(subject, {
      noun: 'distinct actions',
      count: unit.actions.size,
      mean: actions / units,
      sum: actions,
      sumSquares: actionsSquared,
      atLeast,
      expectation: 'in an active hour',
    })
  },
})

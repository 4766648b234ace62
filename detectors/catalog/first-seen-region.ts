import { z } from 'zod'
import { defineDetector } from '../detector.ts'
import { firstSeen } from '../first-seen.ts'

/** First call into a cloud region. */
export const detector = defineDetector({
  id: 'first-seen-region',
  title: 'Call into a cloud region it never used',
  family: 'geography',
  analyticType: 'behavioral',
  attacks: [{ tactic: 'TA0005', technique: 'T1535' }],
  trigger: { on: 'value', feature: 'region' },
  params: z.object({}),
  sees: 'First call into a cloud region.',
  needs: '24 active hours and one day of history.',
  blindSpots: ['global services carry one region'],
  falsePositives: ['expansion to a new region', 'region failover'],
  examples: {
    fires: {
      title: 'A region never used',
      habit: [{ region: 'eu-west-1' }],
      now: [{ region: 'ap-east-1' }],
    },
    silent: { title: 'The usual region', habit: [{ region: 'eu-west-1' }], now: [{ region: 'eu-west-1' }] },
  },
  score: (subject) => firstSeen(subject, { feature: 'region', noun: 'region' }),
})

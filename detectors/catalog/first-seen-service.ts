import { z } from 'zod'
import { defineDetector } from '../detector.ts'
import { firstSeen } from '../first-seen.ts'

/** First use of a service, API group or mount by a settled identity. */
export const detector = defineDetector({
  id: 'first-seen-service',
  title: 'Use of a service it never used',
  family: 'permission use',
  analyticType: 'behavioral',
  attacks: [{ tactic: 'TA0007', technique: 'T1526' }],
  trigger: { on: 'value', feature: 'service' },
  params: z.object({}),
  sees: 'First use of a service, API group or mount by a settled identity.',
  needs: '24 active hours and one day of history.',
  blindSpots: ['an attacker who stays within the usual services'],
  falsePositives: ['a new release of the workload'],
  examples: {
    fires: {
      title: 'A reader of S3 turns to IAM',
      now: [{ service: 'iam.amazonaws.com', action: 'iam.amazonaws.com:ListUsers' }],
    },
    silent: { title: 'The usual service', now: [{}] },
  },
  score: (subject) => firstSeen(subject, { feature: 'service', noun: 'service' }),
})

import { z } from 'zod'
import { defineDetector } from '../detector.ts'
import { firstSeen } from '../first-seen.ts'

/** First touch of a class of resource (secrets, users, buckets) by a settled identity. */
export const detector = defineDetector({
  id: 'first-seen-resource-class',
  title: 'Touch a class of resource it never touched',
  family: 'permission use',
  analyticType: 'behavioral',
  attacks: [{ tactic: 'TA0007', technique: 'T1526' }],
  trigger: { on: 'value', feature: 'resource_class' },
  params: z.object({}),
  sees: 'First touch of a class of resource (secrets, users, buckets) by a settled identity.',
  needs: '24 active hours and one day of history.',
  blindSpots: ['a new object of a usual class'],
  falsePositives: ['a new feature of the workload'],
  examples: {
    fires: {
      title: 'A reader of pods reads secrets',
      habit: [{ resourceClass: 'core/pods' }],
      now: [{ resourceClass: 'core/secrets' }],
    },
    silent: {
      title: 'The usual class',
      habit: [{ resourceClass: 'core/pods' }],
      now: [{ resourceClass: 'core/pods' }],
    },
  },
  score: (subject) => firstSeen(subject, { feature: 'resource_class', noun: 'resource class' }),
})

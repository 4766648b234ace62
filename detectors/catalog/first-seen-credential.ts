import { z } from 'zod'
import { defineDetector } from '../detector.ts'
import { firstSeen } from '../first-seen.ts'

/** A long-lived key, secret or certificate that the identity never used before. */
export const detector = defineDetector({
  id: 'first-seen-credential',
  title: 'Use a long-lived credential never seen for this identity',
  family: 'permission use',
  analyticType: 'behavioral',
  leastP: 0.001,
  attacks: [{ tactic: 'TA0003', technique: 'T1098.001' }],
  trigger: { on: 'value', feature: 'credential' },
  params: z.object({}),
  sees: 'A long-lived key, secret or certificate that the identity never used before.',
  needs: '24 active hours and one day of history.',
  blindSpots: ['temporary sessions and bound tokens are new by nature and are judged by their issuance'],
  falsePositives: ['key rotation'],
  examples: {
    fires: {
      title: 'A second access key',
      habit: [{ credential: 'AKIAOLD', authMethod: 'long-term-key' }],
      now: [{ credential: 'AKIANEW', authMethod: 'long-term-key' }],
    },
    silent: {
      title: 'The usual key',
      habit: [{ credential: 'AKIAOLD', authMethod: 'long-term-key' }],
      now: [{ credential: 'AKIAOLD', authMethod: 'long-term-key' }],
    },
  },
  score: (subject) => firstSeen(subject, { feature: 'credential', noun: 'credential' }),
})

import { z } from 'zod'
import { defineDetector } from '../detector.ts'
import { firstSeen } from '../first-seen.ts'

/** A switch of credential type: role session to long-term key, certificate to secret. */
export const detector = defineDetector({
  id: 'first-seen-auth-method',
  title: 'Authenticate in a way it never did',
  family: 'permission use',
  analyticType: 'behavioral',
  attacks: [{ tactic: 'TA0005', technique: 'T1550' }],
  trigger: { on: 'value', feature: 'auth_method' },
  params: z.object({}),
  sees: 'A switch of credential type: role session to long-term key, certificate to secret.',
  needs: '24 active hours and one day of history.',
  blindSpots: ['theft of the usual credential'],
  falsePositives: ['a migration to workload identity'],
  examples: {
    fires: {
      title: 'A session becomes a key',
      habit: [{ authMethod: 'session' }],
      now: [{ authMethod: 'long-term-key' }],
    },
    silent: {
      title: 'The usual method',
      habit: [{ authMethod: 'session' }],
      now: [{ authMethod: 'session' }],
    },
  },
  score: (subject) => firstSeen(subject, { feature: 'auth_method', noun: 'authentication method' }),
})

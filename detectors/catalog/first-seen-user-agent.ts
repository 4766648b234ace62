import { z } from 'zod'
import { defineDetector } from '../detector.ts'
import { firstSeen } from '../first-seen.ts'

/** Client software (without versions) that the identity never used. */
export const detector = defineDetector({
  id: 'first-seen-user-agent',
  title: 'Use a credential with unfamiliar software',
  family: 'access pattern',
  analyticType: 'behavioral',
  leastP: 0.002,
  attacks: [{ tactic: 'TA0001', technique: 'T1078' }],
  trigger: { on: 'value', feature: 'user_agent' },
  params: z.object({}),
  sees: 'Client software (without versions) that the identity never used.',
  needs: '24 active hours and one day of history.',
  blindSpots: ['agents are chosen by the caller and can be copied'],
  falsePositives: ['an SDK migration', 'a person debugging with the robot role'],
  examples: {
    fires: {
      title: 'curl on a robot',
      habit: [{ userAgentFamily: 'boto3' }],
      now: [{ userAgentFamily: 'curl' }],
    },
    silent: {
      title: 'The usual SDK',
      habit: [{ userAgentFamily: 'boto3' }],
      now: [{ userAgentFamily: 'boto3' }],
    },
  },
  score: (subject) => firstSeen(subject, { feature: 'user_agent', noun: 'software' }),
})

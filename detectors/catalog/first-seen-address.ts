import { z } from 'zod'
import { defineDetector } from '../detector.ts'
import { unseenNetworkLevel } from '../network-chain.ts'

/** Identity seen from an address it never used, inside a usual range. */
export const detector = defineDetector({
  id: 'first-seen-address',
  title: 'Use a credential from an unseen address',
  family: 'geography',
  analyticType: 'behavioral',
  leastP: 0.01,
  attacks: [{ tactic: 'TA0001', technique: 'T1078.004' }],
  trigger: { on: 'value', feature: 'address' },
  params: z.object({}),
  sees: 'Identity seen from an address it never used, inside a usual range.',
  needs: '24 active hours and one day of history; addresses in the log.',
  blindSpots: ['shared egress such as NAT or VPN'],
  falsePositives: ['autoscaling', 'replaced hosts'],
  examples: {
    fires: {
      title: 'The neighbour',
      habit: [
        {
          origin: {
            kind: 'private',
            network: 'private:10.0.0.0/8',
            prefix: '10.0.1.0/24',
            address: '10.0.1.5',
          },
        },
      ],
      now: [
        {
          origin: {
            kind: 'private',
            network: 'private:10.0.0.0/8',
            prefix: '10.0.1.0/24',
            address: '10.0.1.77',
          },
        },
      ],
    },
    silent: {
      title: 'The usual address',
      habit: [
        {
          origin: {
            kind: 'private',
            network: 'private:10.0.0.0/8',
            prefix: '10.0.1.0/24',
            address: '10.0.1.5',
          },
        },
      ],
      now: [
        {
          origin: {
            kind: 'private',
            network: 'private:10.0.0.0/8',
            prefix: '10.0.1.0/24',
            address: '10.0.1.5',
          },
        },
      ],
    },
  },
  score: (subject) => unseenNetworkLevel(subject, 'address'),
})

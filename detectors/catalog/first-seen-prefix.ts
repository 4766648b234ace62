import { z } from 'zod'
import { defineDetector } from '../detector.ts'
import { unseenNetworkLevel } from '../network-chain.ts'

/** Identity seen from a /24 (IPv6 /48) it never used, inside a usual network. */
export const detector = defineDetector({
  id: 'first-seen-prefix',
  title: 'Use a credential from an unseen address range',
  family: 'geography',
  analyticType: 'behavioral',
  leastP: 0.003,
  attacks: [{ tactic: 'TA0001', technique: 'T1078.004' }],
  trigger: { on: 'value', feature: 'prefix' },
  params: z.object({}),
  sees: 'Identity seen from a /24 (IPv6 /48) it never used, inside a usual network.',
  needs: '24 active hours and one day of history; addresses in the log.',
  blindSpots: ['networks whose ranges change daily'],
  falsePositives: ['dynamic access lines', 'new subnets'],
  examples: {
    fires: {
      title: 'Another range of the same network',
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
            prefix: '10.9.9.0/24',
            address: '10.9.9.9',
          },
        },
      ],
    },
    silent: {
      title: 'Another address of the usual range',
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
            address: '10.0.1.6',
          },
        },
      ],
    },
  },
  score: (subject) => unseenNetworkLevel(subject, 'prefix'),
})

import { z } from 'zod'
import { defineDetector } from '../detector.ts'
import { unseenNetworkLevel } from '../network-chain.ts'

/** Identity seen from an AS organisation, cloud or private block it never used, inside a usual country. */
export const detector = defineDetector({
  id: 'first-seen-network',
  title: 'Use a credential from an unseen network',
  family: 'geography',
  analyticType: 'behavioral',
  attacks: [{ tactic: 'TA0001', technique: 'T1078.004' }],
  trigger: { on: 'value', feature: 'network' },
  params: z.object({}),
  sees: 'Identity seen from an AS organisation, cloud or private block it never used, inside a usual country.',
  needs: '24 active hours and one day of history; addresses in the log.',
  blindSpots: ['attackers inside a known network', 'cloud-internal calls carry no useful network'],
  falsePositives: ['new CI runners', 'egress through another provider'],
  examples: {
    fires: {
      title: 'Another carrier in the same country',
      habit: [
        {
          origin: {
            kind: 'public',
            country: 'DE',
            network: 'Deutsche Telekom',
            prefix: '80.128.1.0/24',
            address: '80.128.1.1',
          },
        },
      ],
      now: [
        {
          origin: {
            kind: 'public',
            country: 'DE',
            network: 'Hetzner Online',
            prefix: '88.198.1.0/24',
            address: '88.198.1.1',
          },
        },
      ],
    },
    silent: {
      title: 'A new country is told by its own detector',
      habit: [
        {
          origin: {
            kind: 'public',
            country: 'DE',
            network: 'Deutsche Telekom',
            prefix: '80.128.1.0/24',
            address: '80.128.1.1',
          },
        },
      ],
      now: [
        {
          origin: {
            kind: 'public',
            country: 'VN',
            network: 'VNPT',
            prefix: '113.160.1.0/24',
            address: '113.160.1.1',
          },
        },
      ],
    },
  },
  score: (subject) => unseenNetworkLevel(subject, 'network'),
})

import { z } from 'zod'
import { defineDetector } from '../detector.ts'
import { unseenNetworkLevel } from '../network-chain.ts'

/** Identity seen from a country it was never seen in. */
export const detector = defineDetector({
  id: 'first-seen-country',
  title: 'Use a credential from an unseen country',
  family: 'geography',
  analyticType: 'behavioral',
  attacks: [{ tactic: 'TA0001', technique: 'T1078.004' }],
  trigger: { on: 'value', feature: 'country' },
  params: z.object({}),
  sees: 'Identity seen from a country it was never seen in.',
  needs: '24 active hours and one day of history; addresses in the log.',
  blindSpots: ['cloud and private addresses have no country', 'an attacker in the usual country'],
  falsePositives: ['a moved office or vendor', 'wrong geography data'],
  examples: {
    fires: {
      title: 'From home to abroad',
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
    silent: {
      title: 'The usual country',
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
            network: 'Deutsche Telekom',
            prefix: '80.128.1.0/24',
            address: '80.128.1.1',
          },
        },
      ],
    },
  },
  score: (subject) => unseenNetworkLevel(subject, 'country'),
})

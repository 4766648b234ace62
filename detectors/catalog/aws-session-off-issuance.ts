import { z } from 'zod'
import { defineDetector, quote } from '../detector.ts'

/** A role session issued to an instance or function, used from outside the cloud. Blind to use inside the same cloud. */
export const detector = defineDetector({
  id: 'aws-session-off-issuance',
  title: 'A session of a compute role used away from the cloud it was issued in',
  family: 'geography',
  analyticType: 'rule',
  attacks: [{ tactic: 'TA0006', technique: 'T1552.005' }],
  trigger: { on: 'activity', kinds: ['cloudtrail'] },
  params: z.object({}),
  sees: 'Credentials that EC2, Lambda or ECS issued to a workload, used from a public address outside AWS where the role never lived.',
  needs: 'Sessions named by instance (i-…) or inScopeOf.credentialsIssuedTo; works from the first event.',
  blindSpots: [
    'use from another machine inside AWS',
    'instances that reach AWS through an on-premises proxy from the start',
  ],
  falsePositives: ['a new on-premises egress for cloud traffic'],
  examples: {
    fires: {
      title: 'An instance session on an access line',
      hours: 0,
      now: [
        {
          kind: 'cloudtrail',
          authMethod: 'session',
          credential: 'ASIASTOLEN',
          issuance: { workload: 'i-0abc' },
          origin: {
            kind: 'public',
            country: 'NL',
            network: 'KPN',
            address: '145.1.2.3',
            prefix: '145.1.2.0/24',
          },
        },
      ],
    },
    silent: {
      title: 'An instance session in the cloud',
      hours: 0,
      now: [
        {
          kind: 'cloudtrail',
          authMethod: 'session',
          credential: 'ASIAOWN',
          issuance: { workload: 'i-0abc' },
          origin: { kind: 'cloud', network: 'aws', address: '52.1.2.3', prefix: '52.1.2.0/24' },
        },
      ],
    },
  },
  score({ activity, state, unit }) {
    const { origin, issuance } = activity
    if (issuance.workload === undefined || activity.authMethod !== 'session') return null
    if (origin.kind !== 'public' || origin.network === '') return null
    // A role that has lived behind this network for days sends its traffic through it.
    const networks = state.feature('network')
    const known = networks.values.get(origin.network)
    if (known !== undefined && known.held !== 'held' && known.days >= 3 && known.firstHour < unit.hour)
      return null
    return {
      score: 0,
      severity: 'critical',
      value: origin.network,
      observed: {
        workload: issuance.workload,
        address: origin.address,
        network: origin.network,
        country: origin.country,
      },
      expected: { origin: 'the cloud, or a network known for three days' },
      text: `Credentials issued to ${quote(issuance.workload)} were used from ${quote(origin.address)} (${quote(origin.network)}), outside the cloud.`,
    }
  },
})

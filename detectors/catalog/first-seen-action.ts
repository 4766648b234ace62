import { z } from 'zod'
import type { IdentityState } from '../../features/identity-state.ts'
import type { Activity } from '../../ingest/activity.ts'
import { defineDetector } from '../detector.ts'
import { firstSeen } from '../first-seen.ts'

const params = z.object({
  /** Weights of what a new action can do, before the identity's own habit reduces them. */
  write: z.number().min(1).default(3),
  sensitiveRead: z.number().min(1).default(10),
  powerful: z.number().min(1).default(30),
  grant: z.number().min(1).default(100),
})

/** First or rare use of an action, weighted by what it can do and by how foreign that is to the identity. */
export const detector = defineDetector({
  id: 'first-seen-action',
  title: 'Use of an action it never used',
  family: 'permission use',
  analyticType: 'behavioral',
  attacks: [{ tactic: 'TA0001', technique: 'T1078.004' }],
  trigger: { on: 'value', feature: 'action' },
  params,
  sees: 'First or rare use of an API operation, verb or route, weighted by what it can do (listing ≪ writing ≪ granting).',
  needs: '24 active hours and one day of history.',
  blindSpots: ['misuse of the usual actions', 'a repertoire so wide that something new is ordinary'],
  falsePositives: ['a new release of the workload', 'a yearly task'],
  examples: {
    fires: {
      title: 'A reader creates an access key',
      now: [
        {
          action: 'iam.amazonaws.com:CreateAccessKey',
          accessLevel: 'permissions',
          effect: 'credential-minting',
        },
      ],
    },
    silent: { title: 'The usual call', now: [{}] },
  },
  score(subject, parameters) {
    return firstSeen(subject, {
      feature: 'action',
      noun: 'action',
      weight: weightOf(subject.activity, subject.state, parameters),
    })
  },
})

/** Full weight only where the category of the action is rare for the identity (detection-notes §13.15). */
function weightOf(activity: Activity, state: IdentityState, p: z.infer<typeof params>): number {
  const weight = nominalWeight(activity, p)
  if (weight === 1) return 1
  const categories = state.feature('category')
  const known = categories.values.get(activity.effect || activity.accessLevel)
  const presence = known === undefined || known.held === 'held' ? 0 : known.presence
  const share = categories.total <= 0 ? 0 : presence / categories.total
  return weight ** (1 - Math.min(1, share * 20))
}

function nominalWeight({ effect, accessLevel }: Activity, p: z.infer<typeof params>): number {
  switch (effect) {
    case 'permission-grant':
    case 'credential-minting':
    case 'trust-change':
    case 'audit-tampering':
    case 'sharing-outside':
      return p.grant
    case 'identity-creation':
    case 'remote-execution':
    case 'code-change':
    case 'network-opening':
    case 'data-destruction':
    case 'compute-launch':
      return p.powerful
    case 'secret-read':
    case 'impersonation':
      return p.sensitiveRead
    case '':
      return accessLevel === 'permissions' ? p.powerful : accessLevel === 'write' ? p.write : 1
    default:
      return effect satisfies never
  }
}

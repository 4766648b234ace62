import { z } from 'zod'
import { isHabit } from '../contradiction.ts'
import { defineDetector, quote } from '../detector.ts'

/** A resource or a role opened to another account, tenant or the public by an identity that does not usually do so. */
export const detector = defineDetector({
  id: 'shared-outside',
  title: 'Share a resource outside',
  family: 'permission use',
  analyticType: 'rule',
  attacks: [{ tactic: 'TA0010', technique: 'T1537' }],
  trigger: { on: 'activity', effects: ['sharing-outside', 'trust-change'] },
  params: z.object({}),
  sees: 'A resource or a role opened to another account, tenant or the public by an identity that does not usually do so.',
  needs: 'Nothing: works from the first event.',
  blindSpots: ['sharing by policies whose content is not logged'],
  falsePositives: ['a new partner', 'public web content'],
  examples: {
    fires: {
      title: 'A snapshot for a foreign account',
      hours: 0,
      now: [
        {
          action: 'ec2.amazonaws.com:ModifySnapshotAttribute',
          effect: 'sharing-outside',
          details: { grantee: '999988887777' },
        },
      ],
    },
    silent: {
      title: 'Trust within the account',
      hours: 0,
      now: [
        {
          action: 'iam.amazonaws.com:UpdateAssumeRolePolicy',
          effect: 'trust-change',
          details: { grantee: 'arn:aws:iam::111122223333:role/other' },
        },
      ],
    },
  },
  score({ activity, state, unit }) {
    const { grantee = '' } = activity.details
    if (grantee === '' || !isOutside(grantee, activity.identity.tenant)) return null
    if (isHabit(state, 'action', activity.action, unit.hour)) return null
    const refused = activity.outcome !== 'success'
    return {
      score: 0,
      severity: refused ? 'medium' : 'high',
      value: grantee,
      observed: {
        action: activity.action,
        outcome: activity.outcome,
        grantee,
        resource: activity.resources[0] ?? '',
      },
      expected: { grantees: 'inside the own account' },
      text: `${refused ? 'Tried to open' : 'Opened'} ${quote(activity.resources[0] ?? 'a resource')} to ${quote(grantee)} by ${quote(activity.action)}.`,
    }
  },
})

/** `*` and foreign principals are outside; a service principal or the own account is not. */
function isOutside(grantees: string, tenant: string): boolean {
  return grantees.split(/[\s,]+/).some((grantee) => {
    if (grantee === '*' || grantee === 'all') return true
    const account = /(?:^|:)(\d{12})(?::|$)/.exec(grantee)?.[1]
    return account !== undefined && account !== tenant
  })
}

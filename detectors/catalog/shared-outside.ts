import { z } from 'zod'
import type { Activity } from '../../ingest/activity.ts'
import { granteesOf, isHabit } from '../contradiction.ts'
import { defineDetector, quote } from '../detector.ts'

/** A resource or a role opened to another account, tenant or the public by an identity that does not usually do so. */
export const detector = defineDetector({
  id: 'shared-outside',
  title: 'Share a resource outside',
  family: 'permission use',
  analyticType: 'rule',
  attacks: [{ tactic: 'TA0010', technique: 'T1537' }],
  trigger: { on: 'activity', effects: ['sharing-outside', 'trust-change', 'permission-grant'] },
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
    const grantee = outsiderOf(activity)
    if (grantee === undefined) return null
    if (isHabit(state, activity, unit.hour)) return null
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

/**
 * The public first, else a foreign account. A permission grant names principals inside as a rule, in many notations: there
 * only the public counts. `wildcard` of a grant is about what is allowed, elsewhere it is about whom.
 */
function outsiderOf(activity: Activity): string | undefined {
  const grantees = granteesOf(activity)
  const grant = activity.effect === 'permission-grant'
  if (!grant && activity.details.wildcard === 'true') return '*'
  const everyone = grantees.find((grantee) => grantee === '*' || grantee === 'all')
  if (everyone !== undefined || grant) return everyone
  return grantees.find((grantee) => isForeignAccount(grantee, activity.identity.tenant))
}

/** An AWS principal or account other than the own; other tenants do not number theirs so that they could be compared. */
function isForeignAccount(grantee: string, tenant: string): boolean {
  const account = ACCOUNT.exec(grantee)?.[1]
  return account !== undefined && account !== tenant && /^\d{12}$/.test(tenant)
}
const ACCOUNT = /(?:^|:)(\d{12})(?::|$)/

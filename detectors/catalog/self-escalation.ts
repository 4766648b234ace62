import { z } from 'zod'
import { granteesOf, isHabit } from '../contradiction.ts'
import { defineDetector, quote } from '../detector.ts'

/** An identity that edits its own policy, binding, role, boundary or trust. */
export const detector = defineDetector({
  id: 'self-escalation',
  title: 'Grant itself permissions',
  family: 'permission use',
  analyticType: 'rule',
  attacks: [{ tactic: 'TA0004', technique: 'T1098.003' }],
  trigger: { on: 'activity', effects: ['permission-grant', 'trust-change'] },
  params: z.object({}),
  sees: 'An identity that edits its own policy, binding, role, boundary or trust.',
  needs: 'Nothing: works from the first event.',
  blindSpots: ['escalation through another identity'],
  falsePositives: ['bootstrap roles that manage themselves (silent after three days of habit)'],
  examples: {
    fires: {
      title: 'A role attaches a policy to itself',
      hours: 0,
      now: [
        {
          action: 'iam.amazonaws.com:AttachRolePolicy',
          effect: 'permission-grant',
          details: { targetIdentity: 'arn:aws:iam::111122223333:role/example', grant: 'AdministratorAccess' },
        },
      ],
    },
    silent: {
      title: 'A provisioner grants another role',
      hours: 0,
      now: [
        {
          action: 'iam.amazonaws.com:AttachRolePolicy',
          effect: 'permission-grant',
          details: { targetIdentity: 'arn:aws:iam::111122223333:role/other' },
        },
      ],
    },
  },
  score({ activity, state, unit }) {
    const { targetIdentity, grant } = activity.details
    if (targetIdentity !== state.id && !granteesOf(activity).includes(state.id)) return null
    if (isHabit(state, activity, unit.hour)) return null
    const refused = activity.outcome !== 'success'
    return {
      score: 0,
      severity: refused ? 'medium' : 'high',
      value: activity.action,
      observed: { action: activity.action, outcome: activity.outcome, grant: grant ?? '' },
      expected: { grants_to_itself: 'none' },
      text: `${refused ? 'Tried to grant' : 'Granted'} itself ${quote(grant ?? 'a permission')} by ${quote(activity.action)}.`,
    }
  },
})
